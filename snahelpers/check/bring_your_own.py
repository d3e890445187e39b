"""The exercises of notebook 12."""

import snahelpers as sna
from snahelpers.check.exercise import Exercise, on_planted, unfinished


def _places(answer, case):
    """Two lists of prompts, each of one letter, as numbers with −1 between."""
    given = answer(list(*case))
    return given if unfinished(given) else [*map(ord, given[0]), -1, *map(ord, given[1])]


seconds = Exercise(
    right=lambda tasks, prompts, layers, configurations, each, workers: (
        tasks * prompts * layers * configurations * each / workers
    ),
    cases=[(12, 24, 24, 84, 0.01, 1), (2, 10, 12, 6, 0.5, 4), (1000, 24, 32, 84, 0.002, 64)],
    mistakes=[
        (
            lambda tasks, prompts, layers, configurations, each, workers: (
                tasks * prompts * layers * configurations * each
            ),
            "That is for one worker. Several share the work.",
        ),
        (
            lambda tasks, prompts, layers, configurations, each, workers: (
                tasks * prompts * layers * configurations * each * workers
            ),
            "More workers would take longer. They share the work: divide.",
        ),
        (
            lambda tasks, prompts, layers, configurations, each, workers: (
                tasks * layers * configurations * each / workers
            ),
            "Every prompt runs in every configuration: the prompts are missing.",
        ),
    ],
    praise="Right. Now you know the night before whether it is a night.",
)

halves = Exercise(
    right=lambda prompts: (
        list(dict.fromkeys(prompts))[::2],
        list(dict.fromkeys(prompts))[1::2],
    ),
    cases=[("abcde",), ("abacbd",), ("aab",)],
    call=_places,
    mistakes=[
        (
            lambda prompts: (prompts[::2], prompts[1::2]),
            "A prompt that stands twice may land in both halves, or twice in one. Take each once.",
        ),
        (
            lambda prompts: (
                list(dict.fromkeys(prompts))[: len(set(prompts)) // 2],
                list(dict.fromkeys(prompts))[len(set(prompts)) // 2 :],
            ),
            "First half and second half: files are often sorted, so that the halves would differ. "
            "Take them in turns.",
        ),
        (
            lambda prompts: (list(dict.fromkeys(prompts))[1::2], list(dict.fromkeys(prompts))[::2]),
            "The other way round: the first prompt goes to select.",
        ),
    ],
    praise="Right: what is chosen on is never judged on.",
)

first_look = Exercise(
    right=lambda model, facts: sna.answer_key("minnow")["layer"],
    cases=[()],
    call=on_planted,
    mistakes=[
        (
            lambda model, facts: model.cfg.n_layers - 1,
            "That is the last layer, where activations are largest. Do not look at activations: "
            "amplify at each layer, and see how much the right answers rise.",
        ),
        (
            lambda model, facts: 0,
            "That is layer 0. Is it the number of a row, or the layer at which answers rise least? "
            "Take the layer of the row with the highest delta_logodds.",
        ),
    ],
    praise="Right: twelve configurations, a few seconds, and you know where to look.",
)
