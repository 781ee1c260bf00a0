"""Identities that can't be tried yet, each with the part that it needs."""

from boldly.lab.experiments.identities.row import Missing

_DPO = "DPO"

MISSING = (
    Missing("irpo", "IRPO", "weight 0", _DPO, "the preferred response's log-probability over its length, as a term"),
    Missing("upo", "UPO, uncertainty-enhanced", "dropout 0", _DPO, "an estimator of each label's uncertainty"),
    Missing("f-dpo", "f-DPO", "f the reverse KL", _DPO, "an objective with the derivative of an f-divergence"),
    Missing("wpo", "WPO", "a uniform policy", _DPO, "weights by the policy's own tokens"),
    Missing("mappo", "MaPPO", "prior factor 1", _DPO, "a factor on the loser's log-ratio by its reward"),
    Missing("omni-dpo", "Omni-DPO", "both weights 1, no likelihood term", _DPO, "weights by quality and by fit"),
    Missing("modpo", "MODPO", "weight 1 on one reward", _DPO, "a margin with the other rewards' differences"),
    Missing("mrpo", "MRPO", "equal references", _DPO, "columns of several references"),
    Missing("tgdpo", "TGDPO", "no guidance", _DPO, "columns of single tokens"),
    Missing("bmc", "BMC", "no edit, weights 1", _DPO, "columns of single tokens, and an editor of responses"),
    Missing("rationale", "preference with rationales", "weight 0", _DPO, "a reason beside each label"),
    Missing("p3o", "P3O", "no clipping, two responses", "RLOO", "policy-gradient objectives"),
    Missing("lipo", "LiPO", "two responses", "a constant times DPO", "tables of lists"),
    Missing("mpo", "MPO, set-level contrasts", "one against one", _DPO, "tables of lists"),
    Missing("tpo", "TPO, preference trees", "two leaves", _DPO, "tables of lists, and weights of steps"),
    Missing("relative-po", "relative PO", "the diagonal only", _DPO, "contrasts across prompts"),
    Missing("aot", "AOT", "a batch of one", _DPO, "an objective that sorts its batch"),
    Missing("sdpo", "SDPO, segments", "one segment", _DPO, "dialogues with turns, and a choice of segments"),
    Missing("dmpo", "DMPO", "one turn", _DPO, "dialogues with turns"),
    Missing("full-step-dpo", "Full-Step-DPO", "equal weights", _DPO, "columns of single steps, and a reward of steps"),
    Missing("oreo-fit", "OREO", "horizon 1", "DRO as a fit", "objectives on single responses with a table of values"),
    Missing(
        "exo", "EXO's minimum", "hard labels with flips", "beta margin = (2p - 1) logit(1 - eps), not logit p", "EXO"
    ),
    Missing(
        "pmpo",
        "PMPO's minimum",
        "where that is positive",
        "[a mu_+ - (1 - a) mu_- + beta pi_ref] / (2a - 1 + beta)",
        "an objective on good and bad responses by themselves",
    ),
    Missing("modpo-optimum", "MODPO's minimum", "a table of logits", "pi_ref exp(w r / beta) / Z", "MODPO, as above"),
    Missing(
        "curated", "retraining on the best of K", "K to infinity", "pi_t exp(r) / E exp(r)", "a retraining learner"
    ),
    Missing(
        "best-of-n",
        "the best of n samples",
        "exact",
        "F(y)^n - F(y-)^n, with KL at most log n - (n - 1) / n",
        "a sampler of the best of n",
    ),
    Missing(
        "mrpo-merged",
        "MRPO's merged reference",
        "two different references",
        "not the optimum of the weighted sum of their KLs",
        "columns of several references",
    ),
)
