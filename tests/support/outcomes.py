"""What a test looks up in an experiment's outcome."""


def score(outcome, method, measure):
    return next(each for each in outcome.scores if (each.method, each.measure) == (method, measure))


def finding(outcome, id):
    return next(each for each in outcome.findings if each.id == id)
