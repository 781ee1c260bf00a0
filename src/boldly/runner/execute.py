"""From a configuration to a better model: everything that `boldly run` does, and nothing that it shows."""

import shlex
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from math import ceil

import torch

from boldly.buying import Buyer, answers_elsewhere
from boldly.config.building import build, generation, schedule
from boldly.config.prompts import PromptSet, load_prompts
from boldly.config.saving import dump
from boldly.config.schema import ConsistencyConfig, RunConfig
from boldly.errors import ConfigError, WaitingForLabels
from boldly.ledger import Budget, Ledger
from boldly.ledger.lock import Lock
from boldly.ledger.sql import SqlLedger
from boldly.lm.archive import DiskArchive
from boldly.lm.encode import encode
from boldly.lm.export import write_model
from boldly.lm.model import LanguageModel
from boldly.lm.policy import LMPolicy
from boldly.loop import Loop, rounds
from boldly.metrics import read, write_samples
from boldly.oracles import Following, Oracle, Outside, load_function
from boldly.policy import Policy
from boldly.progress import Progress, Result
from boldly.report import write_report
from boldly.runner.answering import Answering, answering, recorded_pairs
from boldly.runner.card import card_of
from boldly.runner.checking import Checker
from boldly.runner.directory import RunDirectory, begin, choose
from boldly.runner.footing import settle
from boldly.runner.judging import Judge, best
from boldly.runner.policies import itself, load_model, threads
from boldly.runner.result import load_result, save_result
from boldly.runner.waiting import until_answered
from boldly.runner.watch import Observer, Watch
from boldly.trackers import Trackers
from boldly.types import ACCOUNTS, Prompt


def execute(
    config: RunConfig,
    *,
    observe: Observer = lambda progress: None,
    oracle: Oracle | None = None,
    fork: bool = False,
    wait: bool = False,
) -> Result:
    """Run the loop of `config` to the end of its budget, from wherever its directory stands.

    Everything is checked before anything is written. `oracle` replaces the configured one, for callers who hold it as
    an object. The trackers in `report_to` are fed beside `observe`. With `wait` it sleeps where people have to answer,
    until they have. Stopped at any moment and called again it buys no label twice and ends as if it had not been
    stopped, but for rounding where memory was short at one of the starts.

    Raises `InvalidInput` for what can't work, `WaitingForLabels` where people have to answer, `BudgetSpent` where the
    money reaches for no label at all, `OracleUnavailable` when nobody answers, `StorageError` for a directory that
    can't be kept.
    """
    run = choose(config, fork=fork)
    if (done := _finished(run, config)) is not None:
        return done
    with closing(Trackers(config.report_to, run.root, config.model_dump(mode="json"))) as trackers:

        def tell(progress: Progress) -> None:
            observe(progress)
            trackers(progress)

        return _execute(run, config, tell, oracle, wait=wait)


def _execute(run: RunDirectory, config: RunConfig, observe: Observer, held: Oracle | None, *, wait: bool) -> Result:
    begun = time.monotonic()
    observe(Progress("starting", 0, 0, config.budget))
    torch.set_num_threads(threads(config))
    prompts = load_prompts(config)
    oracles = answering(config, held)
    parts = build(config)
    lm = load_model(config, prompts)
    pool = None
    if oracles.records is not None:
        stop = tuple(config.generation.stop)
        pool = recorded_pairs(oracles.records, lm, without=prompts.heldout, stop=stop)
    _refuse_unfollowed(oracles.training, LMPolicy("iterate-0", lm, generation(config)))
    said = settle(config, parts, lm, prompts)
    begin(run, config)
    with ExitStack() as stack:
        if config.ledger:
            stack.callback(Lock(run.lock).release)
        ledger = stack.enter_context(closing(SqlLedger(config.ledger or run.ledger)))
        ledger.abandon()
        policy = LMPolicy("iterate-0", lm, said)
        archive = DiskArchive(run.iterates, policy)
        newest, state = archive.restore()
        parts.learner.restore(state)
        del state  # moments and masters, which the learner has now
        watch = Watch(
            run, config, observe, ledger, {record.iterate: record for record in read(run.metrics)}, since=begun
        )
        budget, planned = Budget(config.budget, config.money), schedule(config)
        overlaps = planned.ahead > 0 and answers_elsewhere(oracles.training)
        loop = Loop(
            policy=policy.renamed(f"iterate-{newest}"),
            prompts=prompts.train,
            parts=parts,
            ledger=ledger,
            archive=archive,
            budget=budget,
            schedule=planned,
            seed=config.seed,
            announce=watch.phase,
            pool=pool,
            bound=oracles.training.bound if isinstance(oracles.training, Outside) else None,
            buyer=stack.enter_context(closing(Buyer(ledger, budget))) if overlaps else None,
        )
        heldout = prompts.heldout[: config.evaluation.prompts]
        judge = _judge(config, itself(archive[0]), heldout, oracles.evaluation, ledger)
        resumed = newest > 0 or bool(ledger.queries(0))
        if resumed:
            watch.tell(note=f"resumed at round {loop.t}: {ledger.spent().labels} labels kept, none bought again")
        for note in prompts.notes:
            watch.tell(note=note)
        if 0 in watch.records:
            watch.tell(watch.records[0])
        turn = _Turn(loop, judge, _checker(config, oracles, ledger), watch, oracles.training)
        try:
            until_answered(turn, ledger, wait=wait, tell=lambda note: watch.tell(note=_in_place(note, run)))
        except WaitingForLabels as waiting:
            raise WaitingForLabels(_in_place(str(waiting), run), waiting.rounds) from None
        if loop.left:
            watch.tell(note=_ended(config, watch, loop, _room(lm, prompts)))
        return _finish(run, config, watch, archive, judge, loop, resumed=resumed)


def _in_place(commands: str, run: RunDirectory) -> str:
    """The commands of an oracle, which doesn't know the run's directory and writes RUN."""
    return commands.replace("RUN", shlex.quote(str(run.root)))


def _refuse_unfollowed(oracle: Oracle, policy: Policy) -> None:
    """Raise `OracleError` for an oracle that answers by a policy which can't be asked."""
    if isinstance(oracle, Following):
        oracle.following(policy, policy)


@dataclass(frozen=True, slots=True)
class _Turn:
    """The rounds that are left, each checked and judged; called again it goes on where it stopped."""

    loop: Loop
    judge: Judge
    check: Checker | None
    watch: Watch
    oracle: Oracle
    checked: set[int] = field(default_factory=lambda: {0})

    def __call__(self) -> None:
        try:
            self._keep()
            for _ in rounds(self.loop, self.oracle):
                self._keep()
            self.watch.keep(self.loop, self.judge, last=True)
            self.watch.require_judged(self.judge)
        except WaitingForLabels:
            self.watch.phase("labelling")
            raise

    def _keep(self) -> None:
        if self.check is not None and self.loop.t not in self.checked:
            self.check(self.loop.t - 1)
            self.checked.add(self.loop.t)
        self.watch.keep(self.loop, self.judge)
        self.watch.complete(self.loop, self.judge)


def _checker(config: RunConfig, oracles: Answering, ledger: Ledger) -> Checker | None:
    about: ConsistencyConfig | None = config.consistency
    if about is None or oracles.consistency is None:
        return None
    budget = Budget(about.labels, about.money)
    return Checker(oracles.consistency, ledger, about.share, budget, config.seed, swapped=about.oracle is None)


def _room(lm: LanguageModel, prompts: PromptSet) -> int:
    """The tokens that the model's context leaves for a response to the longest prompt."""
    return lm.context - max(len(encode(lm, prompt)) for prompt in (*prompts.train, *prompts.heldout))


def _ended(config: RunConfig, watch: Watch, loop: Loop, room: int) -> str:
    """Why a run ended before its budget, with `room` for a response. Raises `ConfigError` if no label could be had."""
    labels = watch.ledger.spent().labels
    if loop.pool is not None and labels:
        return f"the record is used up: it held {labels} labels to train on, and the budget was {config.budget}."
    return _stuck(config, watch, loop.t, labels, room)


def _stuck(config: RunConfig, watch: Watch, t: int, labels: int, room: int) -> str:
    cut = next(r.evaluation.truncated for r in reversed(list(watch.records.values())) if r.evaluation)
    limit = config.generation.max_tokens
    why = (
        f"round {t} found no two responses to a prompt that ended and differ; {cut:.0%} of the held-out ones were cut "
        f"at {limit} tokens"
    )
    if cut <= 0.5:
        mend = "write `schedule: {prompts_per_label: 4}`"
    elif room > limit:
        mend = f"write `generation: {{max_tokens: {min(2 * limit, room)}}}`"
    else:
        mend = (
            "the longest prompt leaves no room in the model's context for longer ones, so shorten or remove the "
            "longest prompts, or write a `model` with a longer context"
        )
    if not labels:
        raise ConfigError(f"no label could be bought: {why}: {mend}.")
    return f"ended after {labels} of {config.budget} labels: {why}. For another run: {mend}."


def _judge(config: RunConfig, base: Policy, heldout: Sequence[Prompt], oracle: Oracle | None, ledger: Ledger) -> Judge:
    kind = load_function("boldly.data.task:style") if config.prompts == "bundled" else None
    evaluations = ceil(ceil(config.budget / config.schedule.labels_per_round) / config.evaluation.every)
    budget = Budget(config.evaluation.labels or 0, config.evaluation.money)
    return Judge(base, heldout, oracle, ledger, budget, evaluations, config.seed, kind)


def _finished(run: RunDirectory, config: RunConfig) -> Result | None:
    """The result of a run that ended under this very configuration."""
    if not (run.result.exists() and run.model.exists() and run.report.exists()):
        return None
    if run.config.read_text(encoding="utf-8") != dump(config):
        return None
    return load_result(run)


def _finish(
    run: RunDirectory, config: RunConfig, watch: Watch, archive: DiskArchive, judge: Judge, loop: Loop, *, resumed: bool
) -> Result:
    """Write the best iterate, what it answers beside the base, the result and the report.

    Raises `BudgetSpent` where not one label was had.
    """
    watch.phase("writing")
    spent = watch.ledger.spent()
    if loop.short is not None and not spent.labels:
        raise loop.short
    records = sorted(watch.records.values(), key=lambda record: record.iterate)
    number, criterion = best(records)
    chosen = next(record for record in records if record.iterate == number)
    if number not in judge.answers:
        judge(itself(archive[number]), number)
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
        bought=spent.bought,
        money=sum(watch.ledger.spent(account).money for account in ACCOUNTS),
        short=str(loop.short or "") if spent.labels < config.budget else "",
    )
    write_samples(run.samples, judge.samples(number))
    write_model(archive, number, run.model, merge=config.merge, card=card_of(config, result, watch.ledger))
    save_result(run, result)
    write_report([run.root], run.report)
    return result
