"""Choices of neurons are what they say, and controls are fair."""

import numpy as np
import pytest
import torch

import snahelpers as sna
from snahelpers.choose import METHODS, NEAREST, choose_neurons

SCORES = torch.tensor([[0.0] * 6, [3.0, -1.0, 5.0, 3.0, -4.0, 0.5]])


def test_top_neurons_are_sorted_and_ties_go_to_the_lower_index():
    assert sna.top_neurons(SCORES, layer=1, k=4).tolist() == [2, 0, 3, 5]
    assert sna.top_neurons(SCORES, layer=0, k=3).tolist() == [0, 1, 2]
    assert sna.top_neurons(SCORES, layer=np.int64(1), k=np.int64(1)).dtype == torch.long


def test_require_positive_skips_neurons_that_are_only_less_negative():
    means = torch.tensor([[0.0] * 6, [-0.1, 0.2, 0.3, 0.4, -0.5, 0.6]])
    options = {"require_positive": True, "task_means": means}
    assert sna.top_neurons(SCORES, 1, 3, **options).tolist() == [2, 3, 5]
    with pytest.raises(sna.SNAError, match="Only 4 neurons"):
        sna.top_neurons(SCORES, 1, 5, **options)
    with pytest.raises(sna.SNAError, match="needs task_means"):
        sna.top_neurons(SCORES, 1, 3, require_positive=True)


def test_less_negative_flags_them():
    means = torch.tensor([[0.0] * 6, [-0.1, -0.2, 0.3, 0.4, -0.5, -0.6]])
    chosen = torch.tensor([0, 1, 2, 5])
    assert sna.less_negative(means, SCORES, 1, chosen).tolist() == [True, False, False, True]


def test_contrastive_neurons_are_the_two_tails():
    positive, negative = sna.contrastive_neurons(SCORES, layer=1, k=3)
    assert positive.tolist() == [2, 0, 3]
    assert negative.tolist() == [4, 1, 5]
    with pytest.raises(sna.SNAError, match=r"overlap.*at most 3"):
        sna.contrastive_neurons(SCORES, layer=1, k=4)


@pytest.mark.parametrize("k", [0, -1, 7, 2.0, True])
def test_k_out_of_range(k):
    with pytest.raises(sna.SNAError, match="1 to 6"):
        sna.top_neurons(SCORES, 1, k)


@pytest.mark.parametrize("layer", [-1, 2])
def test_layer_out_of_range(layer):
    with pytest.raises(sna.SNAError, match="0 to 1"):
        sna.top_neurons(SCORES, layer, 1)


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(sna.SNAError, match="not all finite"):
        sna.top_neurons(SCORES.log(), 1, 1)


def test_random_neurons_are_distinct_seeded_and_not_excluded():
    draw = sna.random_neurons(20, 15, seed=1, exclude=[3, 4])
    assert len(set(draw.tolist()) - {3, 4}) == 15 and max(draw) < 20
    assert torch.equal(draw, sna.random_neurons(20, 15, seed=1, exclude=torch.tensor([3, 4])))
    assert not torch.equal(draw, sna.random_neurons(20, 15, seed=2, exclude=[3, 4]))
    with pytest.raises(sna.SNAError, match="1 to 18"):
        sna.random_neurons(20, 19, seed=1, exclude=[3, 4])


def test_loudest_layer_has_the_largest_mean_of_its_top_k():
    scores = torch.tensor([[9.0, 0.0, 0.0], [5.0, 5.0, 0.0], [4.0, 4.0, 4.0]])
    assert [sna.loudest_layer(scores, k) for k in (1, 2, 3)] == [0, 1, 2]
    with pytest.raises(sna.SNAError, match="number of neurons 4"):
        sna.loudest_layer(scores, 4)


def heavy_tailed(n=512):
    """Sizes as neurons have them: a few are a hundred times as loud as most."""
    return torch.exp(2 * torch.randn(n, generator=torch.Generator().manual_seed(0)))


# Every other one of the loud, without the very loudest, which have no equals to be drawn.
LOUD = heavy_tailed().sort(descending=True).indices[30:80:2]


@pytest.mark.parametrize("seed", range(5))
def test_matched_neurons_are_as_loud_as_the_choice_and_random_ones_are_not(seed):
    sizes = heavy_tailed()
    matched = sna.matched_neurons(LOUD, sizes, seed)
    random = sna.random_neurons(len(sizes), len(LOUD), seed, exclude=LOUD)
    assert sizes[matched].mean() / sizes[LOUD].mean() == pytest.approx(1, abs=0.2)
    typical, matched, random = (sizes[chosen].median() for chosen in (LOUD, matched, random))
    assert matched / typical == pytest.approx(1, abs=0.2) and random / typical < 0.5


@pytest.mark.parametrize("seed", range(5))
def test_matched_neurons_are_distinct_and_none_of_the_choice(seed):
    matched = sna.matched_neurons(LOUD, heavy_tailed(), seed).tolist()
    assert len(set(matched)) == len(LOUD) == len(matched)
    assert not set(matched) & set(LOUD.tolist())


def test_a_matched_neuron_is_any_of_the_nearest_in_size():
    sizes = torch.arange(100.0)
    drawn = {int(sna.matched_neurons(torch.tensor([50]), sizes, seed)) for seed in range(200)}
    assert drawn == set(range(45, 56)) - {50} and len(drawn) == NEAREST


def test_matched_neurons_follow_the_seed():
    one, same, other = (sna.matched_neurons(LOUD, heavy_tailed(), seed) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_all_others_can_be_drawn_and_no_more():
    sizes = torch.arange(8.0)
    assert sorted(sna.matched_neurons(torch.arange(4), sizes, 0).tolist()) == [4, 5, 6, 7]
    for too_many in (torch.arange(5), torch.arange(0)):
        with pytest.raises(sna.SNAError, match=r"to match \d is out of range: expected 1 to 4"):
            sna.matched_neurons(too_many, sizes, 0)


def choose(method, k=12, seed=0):
    """From two layers of 512, whose task means are heavy-tailed and of both signs."""
    generator = torch.Generator().manual_seed(1)
    task, neutral = torch.randn(2, 2, 512, generator=generator).mul(2).sinh()
    norms = torch.rand(2, 512, generator=generator).mul(3).exp()
    chosen = choose_neurons(method, task - neutral, task.abs() * norms, k, seed)
    return chosen, task, neutral, norms


@pytest.mark.parametrize(
    ("method", "sign"), [("differential", 1), ("attribution", 1), ("negative", -1)]
)
def test_chosen_by_score(method, sign):
    chosen, task, neutral, _ = choose(method)
    expected = (sign * (task - neutral)).topk(12).indices
    assert torch.equal(chosen, expected)


@pytest.mark.parametrize("method", ["differential", "negative", "random"])
def test_a_smaller_choice_is_the_beginning_of_a_larger_one(method):
    assert torch.equal(choose(method, k=5)[0], choose(method, k=12)[0][:, :5])


def test_matched_are_matched_to_the_differential_choice_by_what_they_write():
    highest, task, _, norms = choose("differential")
    place = (task.abs() * norms).argsort().argsort()  # in the order of size
    for layer, chosen in enumerate(choose("matched")[0]):
        gaps = (place[layer, chosen] - place[layer, highest[layer]]).abs()
        # Those nearest, once the choice and earlier draws are out of the way.
        assert gaps.min() > 0 and gaps.max() <= NEAREST + 2 * len(chosen)
        assert not set(chosen.tolist()) & set(highest[layer].tolist())


@pytest.mark.parametrize("method", ["random", "matched"])
def test_draws_follow_the_seed_and_differ_between_layers(method):
    (one, *_), (same, *_), (other, *_) = (choose(method, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert not torch.equal(one[0], one[1])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_k_different_neurons_a_layer(method):
    chosen = choose(method, k=25)[0]
    assert chosen.shape == (2, 25) and chosen.dtype == torch.long
    assert all(len(set(row.tolist())) == 25 for row in chosen)


def test_unknown_methods_are_refused():
    with pytest.raises(sna.SNAError, match=r"method 'diferential'.* Did you mean 'differential'"):
        choose("diferential")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("k", [0, 513])
def test_choices_of_no_neuron_or_too_many_are_refused(method, k):
    with pytest.raises(sna.SNAError, match="out of range"):
        choose(method, k=k)
