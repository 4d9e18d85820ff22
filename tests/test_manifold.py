import pytest
import torch

from dfd.appearance import RIDGE
from dfd.components import COMPONENTS
from dfd.manifold import EMPHASIS_LIMIT, FARTHEST_IN, ComponentManifold, locally_linear_weights, refinement_by_component

DIM = 64
MALE, FEMALE, UNSURE = 0, 1, 2


def make_bank(count=60, appearance=True, seed=0):
    """Codes near a low-dimensional sheet, as real ones are, at a different scale for each component."""
    g = torch.Generator().manual_seed(seed)
    person = torch.randn(count, 12, generator=g)
    codes = {}
    for scale, name in enumerate(COMPONENTS, start=1):
        sheet = person @ torch.randn(12, DIM, generator=g)
        codes[name] = 3.0**scale * (sheet + 0.5 * torch.randn(count, DIM, generator=g))
    genders = torch.arange(count) % 3
    ids = torch.arange(count) * 10 + 7
    looks = torch.randn(count, 4, generator=g) if appearance else None
    return ComponentManifold.from_codes(codes, ids, genders, looks)


@pytest.fixture(scope="module")
def bank():
    return make_bank()


def codes_of(bank, rows):
    return {name: bank.codes.get_buffer(name)[rows].clone() for name in COMPONENTS}


def drawn_without(count, *missing):
    return {name: torch.full((count,), name not in missing) for name in COMPONENTS}


def nearest_other(codes):
    distance = torch.cdist(codes.double(), codes.double())
    return distance.fill_diagonal_(float("inf")).min(1).values


@pytest.mark.parametrize("k", [2, 5, 10, 30])
def test_training_code_projects_onto_itself(bank, k):
    everything = torch.arange(60)
    projected = bank.project(codes_of(bank, everything), refinement=1, k=k).latents
    for name in COMPONENTS:
        codes = bank.codes.get_buffer(name)
        error = (projected[name] - codes).norm(dim=1) / nearest_other(codes)
        assert error.max() < 0.02


def test_training_code_projects_onto_itself_beside_a_close_relative(bank):
    codes = bank.codes.mouth.clone()
    codes[1] = codes[0] + 0.3 * (codes[1] - codes[0])
    close = ComponentManifold.from_codes({name: codes for name in COMPONENTS}, bank.sample_ids, bank.genders)
    projected = close.project(codes_of(close, [0, 1]), refinement=1).latents["mouth"]
    assert ((projected - codes[:2]).norm(dim=1) / nearest_other(codes)[:2]).max() < 0.02


def test_with_one_neighbour_a_training_code_is_returned_exactly(bank):
    given = codes_of(bank, torch.arange(60))
    projection = bank.project(given, refinement=1, k=1)
    for name in COMPONENTS:
        assert torch.equal(projection.latents[name], given[name])
        assert torch.equal(projection.neighbors[name].ids[:, 0], bank.sample_ids)


@pytest.mark.parametrize("subset", ["male", "female", "all"])
def test_neighbours_are_the_nearest_of_the_subset_in_order(bank, subset):
    latents = 40 * torch.randn(7, DIM, generator=torch.Generator().manual_seed(1))
    near = bank.neighbors("nose", latents, subset, k=6)
    rows = bank.subset_rows(subset)
    distance = torch.cdist(latents.double(), bank.codes.nose[rows].double())
    want = distance.topk(6, largest=False)
    assert torch.equal(near.indices, rows[want.indices])
    assert torch.equal(near.ids, bank.sample_ids[near.indices])
    torch.testing.assert_close(near.distances, want.values.float())


def test_subsets_never_return_another_gender(bank):
    # Asked with the codes of the others themselves, which would be the nearest of all.
    for subset, label in (("male", MALE), ("female", FEMALE)):
        others = torch.nonzero(bank.genders != label).flatten()
        for missing in ((), ("mouth", "nose")):
            projection = bank.project(codes_of(bank, others), drawn_without(len(others), *missing), subset, 1.0, k=10)
            for near in projection.neighbors.values():
                assert (bank.genders[near.indices] == label).all()


def looks_male(bank, name, codes):
    """Where codes lie on the way from the mean female code, 0, to the mean male one, 1."""
    male, female = (bank.codes.get_buffer(name)[bank.genders == label].mean(0) for label in (MALE, FEMALE))
    return (codes - female) @ (male - female) / (male - female).square().sum()


def test_projection_goes_towards_the_chosen_gender_and_refinement_says_how_far(bank):
    given = codes_of(bank, torch.nonzero(bank.genders == UNSURE).flatten())
    for name in COMPONENTS:
        looks = {
            (subset, r): looks_male(bank, name, bank.project(given, None, subset, r).latents[name]).mean()
            for subset in ("male", "female")
            for r in (0.5, 1)
        }
        as_drawn = looks_male(bank, name, given[name]).mean()
        assert looks["female", 1] < looks["female", 0.5] < as_drawn < looks["male", 0.5] < looks["male", 1]


def test_what_looks_like_the_chosen_gender_already_is_aimed_less_far(bank):
    codes = {label: bank.codes.mouth[bank.genders == label] for label in (MALE, FEMALE)}
    moved = {label: (bank.aim("mouth", values, "male") - values).norm(dim=1) for label, values in codes.items()}
    assert moved[MALE].mean() < 0.5 * moved[FEMALE].mean()
    assert torch.equal(bank.aim("mouth", codes[MALE], "all"), codes[MALE])


def test_aiming_knows_no_direction_in_a_bank_of_one_gender():
    codes = {name: torch.randn(9, DIM, generator=torch.Generator().manual_seed(8)) for name in COMPONENTS}
    men = ComponentManifold.from_codes(codes, range(9), [MALE] * 9)
    assert torch.equal(men.aim("nose", codes["nose"], "male"), codes["nose"])


def test_unsure_samples_are_neighbours_in_all_only(bank):
    row = int(torch.nonzero(bank.genders == UNSURE)[0])
    code = bank.codes.mouth[[row]]
    assert row in bank.neighbors("mouth", code, "all").indices
    assert row not in bank.neighbors("mouth", code, "male").indices
    assert row not in bank.neighbors("mouth", code, "female").indices


def test_weights_sum_to_one():
    g = torch.Generator().manual_seed(2)
    for k in (1, 3, 10, 100):  # 100 outnumber the dimensions
        weights = locally_linear_weights(5 * torch.randn(20, DIM, generator=g), torch.randn(20, k, DIM, generator=g))
        assert weights.shape == (20, k) and weights.dtype == torch.float32
        torch.testing.assert_close(weights.sum(1), torch.ones(20), atol=1e-4, rtol=0)


def test_weights_do_not_depend_on_scale_or_origin():
    g = torch.Generator().manual_seed(3)
    point, around = torch.randn(4, DIM, generator=g), torch.randn(4, 10, DIM, generator=g)
    weights = locally_linear_weights(point, around)
    torch.testing.assert_close(locally_linear_weights(1000 * point + 5, 1000 * around + 5), weights)


def test_weights_are_the_constrained_minimum():
    # Without a ridge no other weights of sum 1 come closer.
    g = torch.Generator().manual_seed(4)
    point, around = torch.randn(1, DIM, generator=g), torch.randn(1, 5, DIM, generator=g)
    weights = locally_linear_weights(point, around, ridge=0)

    def error(w):
        return (point - torch.einsum("nk,nkd->nd", w, around)).norm()

    for _ in range(50):
        step = 0.05 * torch.randn(1, 5, generator=g)
        assert error(weights) < error(weights + step - step.mean())


def test_a_point_in_the_convex_hull_of_its_neighbours_is_reproduced(bank):
    g = torch.Generator().manual_seed(5)
    shares = torch.rand(30, 10, generator=g)
    shares /= shares.sum(1, keepdim=True)
    near = bank.neighbors("mouth", bank.codes.mouth[:30], k=10)
    around = bank.codes.mouth[near.indices]
    points = torch.einsum("nk,nkd->nd", shares, around)
    weights = locally_linear_weights(points, around)
    error = (torch.einsum("nk,nkd->nd", weights, around) - points).norm(dim=1)
    nearest = (around - points[:, None]).norm(dim=-1).min(1).values
    assert (error / nearest).max() < 0.02


def test_duplicates_share_their_weight(bank):
    same = bank.codes.nose[:1].expand(8, DIM)
    twins = ComponentManifold.from_codes({name: same for name in COMPONENTS}, range(8), [0] * 8)
    projection = twins.project(codes_of(twins, [0]), refinement=1, k=8)
    torch.testing.assert_close(projection.latents["nose"], same[:1])
    torch.testing.assert_close(projection.neighbors["nose"].weights, torch.full((1, 8), 1 / 8))
    far = twins.project({name: same[:1] + 1 for name in COMPONENTS}, drawn_without(1, "mouth"), "all", 1, 8)
    torch.testing.assert_close(far.latents["nose"], same[:1])
    torch.testing.assert_close(far.latents["mouth"], same[:1])


def test_a_bank_of_one_sample_works():
    codes = {name: torch.randn(1, DIM, generator=torch.Generator().manual_seed(6)) for name in COMPONENTS}
    one = ComponentManifold.from_codes(codes, [3], [FEMALE])
    asked = {name: torch.zeros(2, DIM) for name in COMPONENTS}
    projection = one.project(asked, drawn_without(2, "mouth"), "female", 1, k=1)
    for name in COMPONENTS:
        torch.testing.assert_close(projection.latents[name], codes[name].expand(2, DIM))
    with pytest.raises(ValueError, match="0, the number of samples in 'male'"):
        one.project(asked, subset="male", k=1)


@pytest.mark.parametrize("k", [0, -1, 61, 2.0, True, None])
def test_a_number_of_neighbours_out_of_range_is_refused(bank, k):
    with pytest.raises(ValueError, match=r"from 1 to 60.*got"):
        bank.project(codes_of(bank, [0]), k=k)


def test_k_may_be_as_large_as_the_subset_and_no_larger(bank):
    bank.project(codes_of(bank, [0]), subset="male", k=20)
    with pytest.raises(ValueError, match="from 1 to 20, the number of samples in 'male'; got 21"):
        bank.project(codes_of(bank, [0]), subset="male", k=21)


def test_unknown_names_and_wrong_shapes_are_refused(bank):
    with pytest.raises(ValueError, match="manifold must be one of male, female, all, got 'men'"):
        bank.project(codes_of(bank, [0]), subset="men")
    with pytest.raises(ValueError, match="component must be one of"):
        bank.neighbors("ear", torch.zeros(1, DIM))
    with pytest.raises(ValueError, match=r"codes of nose must be N x 64, got shape \(1, 63\)"):
        bank.neighbors("nose", torch.zeros(1, DIM - 1))


def test_refinement_blends_from_the_drawn_code_to_its_projection(bank):
    drawn = {
        name: codes + 5 * torch.randn(codes.shape, generator=torch.Generator().manual_seed(7))
        for name, codes in codes_of(bank, [0, 1, 2]).items()
    }
    kept, moved, half = (bank.project(drawn, refinement=r).latents for r in (0, 1, 0.5))
    for name in COMPONENTS:
        assert torch.equal(kept[name], drawn[name])
        assert not torch.allclose(moved[name], drawn[name])
        torch.testing.assert_close(half[name], (drawn[name] + moved[name]) / 2)
    mixed = bank.project(drawn, refinement={"nose": 0, "mouth": 1}).latents
    assert torch.equal(mixed["nose"], kept["nose"])
    assert torch.equal(mixed["mouth"], moved["mouth"])
    assert torch.equal(mixed["remainder"], half["remainder"])  # left out: the default


@pytest.mark.parametrize("refinement, least", [(0, FARTHEST_IN[0]), (1, FARTHEST_IN[1])])
def test_emphasis_moves_ordinary_codes_out_as_far_as_samples_lie_and_leaves_distinct_ones(bank, refinement, least):
    index = bank._index("mouth", "all")
    one = bank.codes.mouth[:1] - index.centre
    for share in (0.01, 0.45, 0.9, 3):
        code = index.centre + one * (share * index.spread / one.norm())
        moved = bank.emphasize("mouth", code, refinement, 1)
        reached = float((moved - index.centre).norm() / index.spread)
        assert reached == pytest.approx(max(share, min(least, EMPHASIS_LIMIT * share)), rel=1e-4)
        torch.testing.assert_close((moved - index.centre) / reached, (code - index.centre) / share)
        assert torch.equal(bank.emphasize("mouth", code, refinement, 0), code)
    assert torch.equal(bank.emphasize("remainder", bank.codes.remainder[:1], refinement, 1), bank.codes.remainder[:1])


def test_a_varied_appearance_is_the_likely_one_and_what_sets_a_sample_apart(coloured):
    bank, _ = coloured
    likely = bank.project(codes_of(bank, [0, 1])).appearance
    varied = torch.stack([bank.varied(likely, seed) for seed in range(300)])
    assert torch.equal(varied[3], bank.varied(likely, 3)) and varied[0].shape == likely.shape
    # What codes do not tell, and the little that the ridge draws them in.
    told = bank.project(codes_of(bank, range(4000))).appearance
    apart = (bank.appearance - told).std(0)
    torch.testing.assert_close(varied.std(0), apart.expand(2, -1), atol=0, rtol=0.2)
    torch.testing.assert_close(varied.mean(0), likely, atol=4 * float(apart.max()) / 300**0.5, rtol=0)


def test_a_varied_appearance_is_one_that_faces_have(coloured):
    bank, _ = coloured
    centre, spread = bank.appearance.mean(0), bank.appearance.std(0)
    away = ((bank.varied(centre[None] + 9 * spread, 1) - centre) / spread).norm()
    assert away <= ((bank.appearance - centre) / spread).norm(dim=1).max()


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "half", None])
def test_refinement_out_of_range_is_refused(value):
    with pytest.raises(ValueError, match=r"refinement must be a number in \[0, 1\]"):
        refinement_by_component(value)
    with pytest.raises(ValueError, match=r"refinement must be .* for nose"):
        refinement_by_component({"nose": value})


def test_refinement_of_an_unknown_component_is_refused():
    with pytest.raises(ValueError, match="'beard'"):
        refinement_by_component({"beard": 0.5})


@pytest.mark.parametrize("missing", [("mouth",), ("left_eye", "mouth", "remainder"), COMPONENTS[1:]])
def test_missing_components_come_from_the_same_person(bank, missing):
    """A training drawing with parts erased gets back codes that are nearest to that same sample's."""
    everyone = torch.arange(60)
    erased = codes_of(bank, everyone)
    for name in missing:
        erased[name] = 100 * torch.ones(60, DIM)  # whatever an encoder makes of an empty window
    projection = bank.project(erased, drawn_without(60, *missing), refinement=0)
    for name in missing:
        completed, codes = projection.latents[name], bank.codes.get_buffer(name)
        assert torch.equal(torch.cdist(completed, codes).argmin(1), everyone)
        assert ((completed - codes).norm(dim=1) / nearest_other(codes)).max() < 0.2
        near = projection.neighbors[name]
        assert torch.equal(near.indices[:, 0], everyone)
        # One person: the same samples and weights for all that is missing.
        assert torch.equal(near.indices, projection.neighbors[missing[0]].indices)
        assert torch.equal(near.weights, projection.neighbors[missing[0]].weights)
        assert (near.weights >= 0).all()
        torch.testing.assert_close(near.distances[:, 0], (completed - codes).norm(dim=1))
    for name in set(COMPONENTS) - set(missing):
        assert torch.equal(projection.latents[name], erased[name])


def test_every_drawn_component_has_a_say_whatever_its_scale(bank):
    """The remainder's codes are 81 times the left eye's; raw distances would let it alone decide."""
    row, other = 4, 9
    mix = codes_of(bank, [row])
    mix["remainder"] = codes_of(bank, [other])["remainder"]
    near = bank.project(mix, drawn_without(1, "mouth"), k=3).neighbors["mouth"]
    assert near.indices[0, 0] == row  # three components against one


def test_each_drawing_of_a_batch_is_completed_by_its_own(bank):
    codes = codes_of(bank, [3, 8])
    drawn = drawn_without(2)
    drawn["mouth"][0] = drawn["nose"][1] = False
    both = bank.project(codes, drawn)
    for i in range(2):
        alone = bank.project({n: c[i : i + 1] for n, c in codes.items()}, {n: d[i : i + 1] for n, d in drawn.items()})
        for name in COMPONENTS:
            torch.testing.assert_close(both.latents[name][i], alone.latents[name][0])
            assert torch.equal(both.neighbors[name].indices[i], alone.neighbors[name].indices[0])


def test_an_empty_drawing_is_refused(bank):
    with pytest.raises(ValueError, match="drawing 0 has no component drawn"):
        bank.project(codes_of(bank, [0]), drawn_without(1, *COMPONENTS))


def test_a_sample_can_be_kept_from_being_its_own_neighbour(bank):
    rows = [5, 6, 7]
    codes = codes_of(bank, rows)["nose"]
    ids = bank.sample_ids[rows]
    usual, others = bank.neighbors("nose", codes, k=4), bank.neighbors("nose", codes, k=3, exclude=ids)
    assert torch.equal(usual.ids[:, 0], ids)
    assert torch.equal(usual.ids[:, 1:], others.ids), "the next ones move up, in order"
    nobody = torch.full((3,), -1)
    assert torch.equal(bank.neighbors("nose", codes, k=4, exclude=nobody).ids, usual.ids)
    with pytest.raises(ValueError, match="number of neighbours"):
        bank.neighbors("nose", codes, k=bank.config.num_samples, exclude=ids)


@pytest.fixture(scope="module")
def coloured():
    """A bank whose appearances follow from the codes, but for a little noise, and what they follow by."""
    generator = torch.Generator().manual_seed(3)
    codes = {name: 2 + 3 * torch.randn(4000, 8, generator=generator) for name in COMPONENTS}
    slope = torch.randn(40, 4, generator=generator)
    appearance = torch.cat(list(codes.values()), 1) @ slope + torch.randn(4000, 4, generator=generator)
    return ComponentManifold.from_codes(codes, range(4000), [2] * 4000, appearance), slope


def test_appearance_follows_from_the_codes(coloured):
    bank, slope = coloured
    generator = torch.Generator().manual_seed(4)
    codes = {name: 2 + 3 * torch.randn(50, 8, generator=generator) for name in COMPONENTS}
    true = torch.cat(list(codes.values()), 1) @ slope
    found = bank.project(codes).appearance
    centre = bank.appearance.mean(0)
    assert torch.cosine_similarity(found - centre, true - centre).mean() > 0.99
    moved = (found - centre).norm() / (true - centre).norm()
    assert abs(moved - 4000 / (4000 + RIDGE)) < 0.02, "drawn in as far as the ridge says for unit features"
    torch.testing.assert_close(bank.project(codes, refinement=1, k=3).appearance, found)


def test_average_codes_give_the_average_appearance(coloured):
    bank, _ = coloured
    codes = {name: bank.codes.get_buffer(name).mean(0, keepdim=True) for name in COMPONENTS}
    torch.testing.assert_close(bank.project(codes).appearance[0], bank.appearance.mean(0), atol=1e-3, rtol=1e-3)


def test_what_is_not_drawn_has_no_say_in_the_appearance(bank):
    codes, average = codes_of(bank, [5]), bank.codes.get_buffer("mouth").mean(0, keepdim=True)
    usual = bank.project({**codes, "mouth": average}).appearance
    assert not torch.allclose(bank.project(codes).appearance, usual)
    codes["mouth"] = torch.full_like(average, 9)
    torch.testing.assert_close(bank.project(codes, drawn_without(1, "mouth")).appearance, usual)
    assert make_bank(appearance=False).project(codes_of(bank, [5])).appearance is None


def test_saved_bank_loads_bit_for_bit(bank, tmp_path):
    bank.save_pretrained(tmp_path)
    loaded = ComponentManifold.from_pretrained(tmp_path)
    assert loaded.state_dict().keys() == bank.state_dict().keys()
    for name, value in bank.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value) and loaded.state_dict()[name].dtype == value.dtype
    asked = codes_of(make_bank(seed=9), [0, 1])
    first, second = bank.project(asked), loaded.project(asked)
    assert all(torch.equal(first.latents[name], second.latents[name]) for name in COMPONENTS)


def test_a_bank_in_half_precision_is_searched_in_float32(bank, tmp_path):
    half = make_bank().half()
    half.save_pretrained(tmp_path)
    assert (tmp_path / "diffusion_pytorch_model.safetensors").stat().st_size < 60 * DIM * 5 * 4
    assert ComponentManifold.from_pretrained(tmp_path).codes.nose.dtype == torch.float32
    for loaded in (half, ComponentManifold.from_pretrained(tmp_path, dtype=torch.float16)):
        assert loaded.codes.nose.dtype == torch.float16 and loaded.sample_ids.dtype == torch.int64
        asked = codes_of(bank, [0, 1])
        projection = loaded.project(asked, refinement=1)
        for name in COMPONENTS:
            assert projection.latents[name].dtype == torch.float32
            torch.testing.assert_close(projection.neighbors[name].ids, bank.project(asked).neighbors[name].ids)


def test_search_follows_codes_that_change(bank):
    other = make_bank(seed=8)
    asked = codes_of(bank, [0])
    assert other.neighbors("nose", asked["nose"]).distances[0, 0] > 1
    other.load_state_dict(bank.state_dict())
    assert other.neighbors("nose", asked["nose"]).distances[0, 0] == 0
    other.half()
    assert other.neighbors("nose", asked["nose"]).distances[0, 0] > 0  # rounded


def test_a_bank_that_does_not_fit_together_is_refused(bank):
    good = codes_of(bank, torch.arange(60))
    ids, genders = bank.sample_ids, bank.genders

    def refused(message, codes=good, ids=ids, genders=genders, appearance=None):
        with pytest.raises(ValueError, match=message):
            ComponentManifold.from_codes(codes, ids, genders, appearance)

    refused("codes are needed for", codes={"nose": good["nose"]})
    refused("nose must hold 60 codes of length 64", codes={**good, "nose": good["nose"][1:]})
    refused("nose must hold 60 codes of length 64", codes={**good, "nose": good["nose"][:, 1:]})
    refused("codes of nose are not all finite", codes={**good, "nose": good["nose"] / 0})
    refused("genders", genders=genders[1:])
    refused(r"genders must be 60 labels .* got 60: \[1, 2, 3\]", genders=genders + 1)
    refused("at least one sample", ids=[], genders=[])
    refused("appearance must hold 60 codes", appearance=torch.zeros(59, 4))
