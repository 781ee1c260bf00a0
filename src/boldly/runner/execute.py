"""From a configuration to a better model: everything that `boldly run` does, and nothing that it shows."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, cast

import torch
from jinja2 import TemplateError

from boldly.config.building import adapter, build, build_oracle, generation, schedule
from boldly.config.prompts import PromptSet, check_lengths, load_prompts
from boldly.config.saving import dump
from boldly.config.schema import RunConfig
from boldly.data import base_directory
from boldly.errors import ConfigError, PromptsError
from boldly.ledger import Budget, Ledger
from boldly.ledger.sql import SqlLedger
from boldly.lm.archive import DiskArchive
from boldly.lm.encode import encode
from boldly.lm.export import write_model
from boldly.lm.load import load
from boldly.lm.model import LanguageModel
from boldly.lm.policy import LMPolicy
from boldly.loop import Loop, rounds
from boldly.metrics import append, bought, read, write_samples
from boldly.oracles import Oracle, load_function
from boldly.policy import Policy
from boldly.progress import Evaluation, Phase, Progress, Record, Result
from boldly.report import write_report
from boldly.runner.card import card_of
from boldly.runner.directory import RunDirectory, begin, choose
from boldly.runner.judging import Judge, best
from boldly.runner.result import load_result, save_result
from boldly.trackers import Trackers
from boldly.types import Prompt

Observer = Callable[[Progress], None]


def execute(
    config: RunConfig, *, observe: Observer = lambda progress: None, oracle: Oracle | None = None, fork: bool = False
) -> Result:
    """Run the loop of `config` to the end of its budget, from wherever its directory stands.

    Everything is checked before anything is written. `oracle` replaces the configured one, for callers who hold it as
    an object. The trackers in `report_to` are fed beside `observe`. Stopped at any moment and called again it buys no
    label twice and ends as if it had not been stopped.

    Raises `InvalidInput` for what can't work, `OracleUnavailable` when nobody answers, `StorageError` for a directory
    that can't be kept.
    """
    run = choose(config, fork=fork)
    if (done := _finished(run, config)) is not None:
        return done
    with closing(Trackers(config.report_to, run.root, config.model_dump(mode="json"))) as trackers:

        def tell(progress: Progress) -> None:
            observe(progress)
            trackers(progress)

        return _execute(run, config, tell, oracle)


def _execute(run: RunDirectory, config: RunConfig, observe: Observer, oracle: Oracle | None) -> Result:
    begun = time.monotonic()
    observe(Progress("starting", 0, 0, config.budget))
    torch.set_num_threads(_threads(config))
    prompts = load_prompts(config)
    oracle = oracle or build_oracle(config)
    parts = build(config)
    lm = _model(config, prompts)
    begin(run, config)
    with closing(SqlLedger(run.ledger)) as ledger:
        ledger.abandon()
        policy = LMPolicy("iterate-0", lm, generation(config))
        archive = DiskArchive(run.iterates, policy)
        newest, state = archive.restore()
        parts.learner.restore(state)
        watch = _Watch(
            run, config, observe, ledger, {record.iterate: record for record in read(run.metrics)}, since=begun
        )
        loop = Loop(
            policy=policy.renamed(f"iterate-{newest}"),
            prompts=prompts.train,
            parts=parts,
            ledger=ledger,
            archive=archive,
            budget=Budget(config.budget),
            schedule=schedule(config),
            seed=config.seed,
            announce=watch.phase,
        )
        judge = _judge(config, _itself(archive[0]), prompts.heldout[: config.evaluation.prompts], oracle, ledger)
        for note in prompts.notes:
            watch.tell(note=note)
        resumed = newest > 0 or bool(ledger.queries(0))
        if 0 in watch.records:
            watch.tell(watch.records[0])
        if resumed:
            watch.tell(note=f"resumed at round {loop.t}: {ledger.spent().labels} labels kept, none bought again")
        watch.keep(loop, judge)
        for _ in rounds(loop, oracle):
            watch.keep(loop, judge)
        if loop.left:
            watch.tell(note=_stuck(config, watch, loop.t))
        return _finish(run, config, watch, archive, judge, resumed=resumed)


@dataclass
class _Watch:
    """What a run tells: its phases and their seconds, and a record of every iterate."""

    run: RunDirectory
    config: RunConfig
    observe: Observer
    ledger: Ledger
    records: dict[int, Record]
    seconds: dict[str, float] = field(default_factory=dict)
    current: Phase = "starting"
    since: float = field(default_factory=time.monotonic)
    iterate: int = 0

    def phase(self, phase: Phase) -> None:
        now = time.monotonic()
        self.seconds[self.current] = self.seconds.get(self.current, 0.0) + now - self.since
        self.current, self.since = phase, now
        self.tell()

    def tell(self, record: Record | None = None, note: str = "") -> None:
        labels = self.ledger.spent().labels
        self.observe(Progress(self.current, self.iterate, labels, self.config.budget, record, note))

    def keep(self, loop: Loop, judge: Judge) -> None:
        """Judge and record the newest iterate, if that has not been done."""
        self.iterate = loop.t
        if self.iterate in self.records:
            return
        due = self.iterate % self.config.evaluation.every == 0 or not loop.left
        if due:
            self.phase("evaluating")
        evaluation = judge(_itself(loop.policy), self.iterate) if due else None
        self.phase("writing")
        record = _record(self.iterate, self.ledger, evaluation, dict(self.seconds))
        self.seconds.clear()
        append(self.run.metrics, record)
        self.records[self.iterate] = record
        self.tell(record, note=_untaught(record))


def _record(iterate: int, ledger: Ledger, evaluation: Evaluation | None, seconds: Mapping[str, float]) -> Record:
    queries = ledger.queries(iterate - 1) if iterate else ()
    labels = [label for label in ledger.labels() if label.query.round == iterate - 1]
    facts = next((dict(kept.facts) for kept in ledger.iterates() if kept.number == iterate), {})
    facts.pop("reference", None)
    return Record(
        iterate=iterate,
        labels=len(ledger.labels()),
        evaluation=evaluation,
        bought=bought(queries, labels, sum(ledger.attempts(query.id) for query in queries)),
        seconds=seconds,
        **cast(dict[str, Any], facts),
    )


def _threads(config: RunConfig) -> int:
    """One thread for a bundled model: more only wait for each other on matrices that small."""
    if config.threads != "auto":
        return config.threads
    return 1 if config.bundled else torch.get_num_threads()


def _untaught(record: Record) -> str:
    """What to say of a round whose labels prefer nothing."""
    counts = {kind: count for kind, count in record.bought.items() if count and kind not in ("failed", "skipped")}
    if not counts or set(counts) & {"preference", "tie"}:
        return ""
    said = ", ".join(f"{kind.replace('_', ' ')} {count}" for kind, count in counts.items())
    return f"round {record.iterate - 1}: not one label says which response is better ({said}), so it taught nothing."


def _stuck(config: RunConfig, watch: _Watch, t: int) -> str:
    """Why a run ended before its budget. Raises `ConfigError` if not one label could be bought."""
    cut = next(r.evaluation.truncated for r in reversed(list(watch.records.values())) if r.evaluation)
    limit = config.generation.max_tokens
    why = (
        f"round {t} found no two responses to a prompt that ended and differ; {cut:.0%} of the held-out ones were cut "
        f"at {limit} tokens"
    )
    line = f"generation: {{max_tokens: {2 * limit}}}" if cut > 0.5 else "schedule: {prompts_per_label: 4}"
    labels = watch.ledger.spent().labels
    if not labels:
        raise ConfigError(f"no label could be bought: {why}: write `{line}`.")
    return f"ended after {labels} of {config.budget} labels: {why}. For another run write `{line}`."


def _model(config: RunConfig, prompts: PromptSet) -> LanguageModel:
    """The model, checked against the prompts."""
    directory = base_directory("rare" if config.model == "bundled-rare" else "default")
    source = directory if config.bundled else config.model
    lm = load(source, adapter=adapter(config), dtype=config.dtype, device=config.device, chat=config.chat)
    everything = [*prompts.train, *prompts.heldout]
    check_lengths(
        everything,
        [len(_encoded(lm, prompt, prompts.places)) for prompt in everything],
        context=lm.context,
        max_tokens=config.generation.max_tokens,
        places=prompts.places,
    )
    return lm


def _encoded(lm: LanguageModel, prompt: Prompt, places: Mapping[str, str]) -> tuple[int, ...]:
    """The tokens of a prompt; what is wrong with it begins with its place."""
    where = f"{places[prompt.id]}: " if prompt.id in places else ""
    try:
        return encode(lm, prompt)
    except PromptsError as error:
        raise PromptsError(f"{where}{error}") from None
    except TemplateError as error:
        raise PromptsError(
            f"{where}the chat template of {lm.directory} refuses the prompt ({error}): write its turns as that wants."
        ) from error


def _itself(policy: Policy) -> Policy:
    """The policy drawing at temperature 1, which is the one that rewards and KL are of; it may be sampled otherwise."""
    assert isinstance(policy, LMPolicy)
    return replace(policy, generation=replace(policy.generation, temperature=1.0))


def _judge(config: RunConfig, base: Policy, heldout: Sequence[Prompt], oracle: Oracle, ledger: Ledger) -> Judge:
    kind = load_function("boldly.data.task:style") if config.prompts == "bundled" else None
    evaluations = ceil(ceil(config.budget / config.schedule.labels_per_round) / config.evaluation.every)
    return Judge(base, heldout, oracle, ledger, config.evaluation.labels or 0, evaluations, config.seed, kind)


def _finished(run: RunDirectory, config: RunConfig) -> Result | None:
    """The result of a run that ended under this very configuration."""
    if not (run.result.exists() and run.model.exists() and run.report.exists()):
        return None
    if run.config.read_text(encoding="utf-8") != dump(config):
        return None
    return load_result(run)


def _finish(
    run: RunDirectory, config: RunConfig, watch: _Watch, archive: DiskArchive, judge: Judge, *, resumed: bool
) -> Result:
    """Write the best iterate, what it answers beside the base, the result and the report."""
    watch.phase("writing")
    records = sorted(watch.records.values(), key=lambda record: record.iterate)
    number, criterion = best(records)
    chosen = next(record for record in records if record.iterate == number)
    if number not in judge.answers:
        judge(_itself(archive[number]), number)
    base, evaluation = records[0].evaluation, chosen.evaluation
    result = Result(
        run=run.root,
        recipe=config.recipe,
        labels=records[-1].labels,
        budget=config.budget,
        best=number,
        chosen_by=criterion,
        reward=evaluation.reward if evaluation else None,
        reward_base=base.reward if base else None,
        win_rate=evaluation.win_rate if evaluation else None,
        kl=evaluation.kl_policy if evaluation else None,
        model=run.model,
        report=run.report,
        resumed=resumed,
    )
    write_samples(run.samples, judge.samples(number))
    write_model(archive, number, run.model, merge=config.merge, card=card_of(config, result, watch.ledger))
    save_result(run, result)
    write_report([run.root], run.report)
    return result
