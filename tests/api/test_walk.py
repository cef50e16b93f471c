"""Both clients are asked for the same members, one by one: same answer, or the same sort of error."""

from __future__ import annotations

import re
import warnings
from contextlib import suppress

import pytest

from api.test_differential import cleaned
from mirror.making import TEAM
from wandb_mirror import Api
from wandb_mirror.errors import OnlyUpstream

pytestmark = [pytest.mark.sdk, pytest.mark.enable_socket]
P = f"{TEAM}/mnist-baselines"
SAME = """
[r.id for r in a.runs(P)[2:9:2]]
ids(a.runs(P, per_page=7))
(lambda rs: (ids(rs), ids(rs)))(a.runs(P, per_page=9))
(lambda rs: [next(rs).id for _ in range(5)])(a.runs(P, per_page=4, order="-created_at"))
(lambda rs: [rs.next().id for _ in range(5)])(a.runs(P, per_page=3, order="-heartbeat_at"))
(lambda rs: (next(rs).id, rs.more, len(rs.objects), rs.cursor))(a.runs(P, per_page=6))
(bool(a.runs(P, {"state": "nope"})), len(a.runs(P, {"state": "nope"})), repr(a.runs(P)))
(a.runs(P, order="")[0].id, a.runs(P, order=None)[0].id, a.runs(P, order="created_at")[0].id)
ids(a.runs(P, {"tags": {"$all": ["baseline", "best"]}}))
ids(a.runs(P, {"tags": {"$size": 1}}))
ids(a.runs(P, {"displayName": {"$contains": "a"}}))
ids(a.runs(P, {"displayName": {"$not": {"$regex": "a"}}}))
ids(a.runs(P, {"displayName": {"$regex": "A", "$options": "i"}}))
[ids(a.runs(P, {"tags.baseline": flag})) for flag in (True, False)]
ids(a.runs(P, {"$or": [{"$and": []}]}))
ids(a.runs(P, {"keys_info.keys.loss": {"$exists": True}}))
ids(a.runs(P, {"entity": TEAM, "project": {"$ne": "x"}, "duration": {"$gt": 100}}))
[a.run(path).id for path in (R, "/" + R, R.replace(f"/{ID}", f"/runs/{ID}"), R.replace(f"/{ID}", f":{ID}"))]
a.run("")
a.run("a/b/c/d/e")
a.run(None)
a.run(f"{TEAM}/nope/x")
a.sweep("")
a.sweep(f"{P}/nope")
[repr(a.from_path(path)) for path in (P, R, "nope", R.replace(f"/{ID}", f"/runs/{ID}"))]
a.from_path("a/b/c/d/e")
a.from_path(P + "/unknown/x")
a.run(R).history(samples=7, pandas=False)
a.run(R).history(keys=["loss", "accuracy"], samples=5, x_axis="epoch", pandas=False)
a.run(R).history(keys=["loss"], samples=5, x_axis="_timestamp", pandas=False)
(a.run(R).history(keys=["nope"], pandas=False), len(a.run(R).history(keys=["nope"])))
[{k: v for k, v in row.items() if k != "_wandb"} for row in a.run(R).history(samples=3, stream="system", pandas=False)]
list(a.run(R).scan_history(keys=["loss", "_timestamp"], min_step=3, max_step=6))
list(a.run(R).scan_history(min_step=3, max_step=6, page_size=1))
list(a.run(R).scan_history(min_step=10**9)) + list(a.run(R).scan_history(min_step=5, max_step=2))
(lambda s: (len(list(s)), s.max_step, len(list(s))))(a.run(R).scan_history())
list(a.run(R).beta_scan_history(keys=["loss"], min_step=0, max_step=3))
list(a.run(R).scan_history(keys=("loss",)))
sorted(a.runs(P, {"state": "finished"}).histories(samples=2), key=repr)
sorted(a.runs(P, {"state": "finished"}, "-created_at").histories(samples=3, keys=["loss"], format="polars").to_dicts(), key=repr)
(a.runs(P, {"state": "nope"}).histories(), len(a.runs(P, {"state": "nope"}).histories(format="pandas")), len(a.runs(P, {"state": "nope"}).histories(format="polars")))
(a.run(R).summary.get("nope", 3), sorted(a.run(R).summary.keys()), "loss" in a.run(R).summary, dict(a.run(R).summary))
a.run(R).nope
a.run(R).file("nope")
list(a.run(R).files(names=["x"], pattern="y"))
sorted((r.id, [x.id for x in r.used_artifacts()]) for r in a.runs(P))
([r.id for r in S(a).runs], len(S(a).runs), S(a).best_run().id, S(a).best_run("+summary_metrics.loss").id, S(a).best_run("-loss").id, S(a).best_run().config)
(S(a).config, S(a).order, S(a).name, S(a).id, S(a).path, S(a).url, S(a).run_count, S(a).expected_run_count, S(a).method, S(a).best_loss, S(a).display_name, S(a).created_at, S(a).entity)
[(g.id, g.name, g.host, g.state.lower(), g.total_runs, g.created_at, g.heartbeat_at, [r.id for r in g.runs()], len(g.runs())) for g in S(a).agents()]
[s.id for s in a.project("mnist-baselines", TEAM).sweeps(per_page=1)]
[s.id for s in a.project("mnist-baselines", TEAM).sweeps(filters={"name": SWEEP})]
a.project("nope", TEAM).id
a.projects(TEAM)[0].name
sorted(t.name for t in a.artifact_types(P) if t.name in ("dataset", "model"))
list(a.artifact_types(f"{TEAM}/nope"))
a.artifact_type("nope", P)
list(a.artifact_collections(P, "nope"))
a.artifact_collection("model", COLLECTION)
(lambda c: (repr(c), c.id, c.name, c.type, c.entity, c.project, c.description, c.tags, c.created_at, c.updated_at, sorted(c.aliases), c.is_sequence(), c.project_id, c.project_internal_id))(a.artifact_collection("dataset", COLLECTION))
(a.artifact_collection_exists(COLLECTION, "dataset"), a.artifact_collection_exists("nope", "dataset"))
[repr(x) for x in a.artifacts("dataset", COLLECTION)] + [repr(x) for x in a.artifacts("dataset", COLLECTION, order="+created_at")]
[x.name for x in a.artifacts("dataset", COLLECTION, tags=["x"])]
list(a.artifacts("dataset", f"{P}/nope"))
[repr(a.artifact(COLLECTION + end)) for end in ("", ":latest", ":v0")]
a.artifact(COLLECTION + ":v0", "model")
a.artifact(COLLECTION + ":v999")
(a.artifact_exists(COLLECTION + ":v0"), a.artifact_exists(COLLECTION + ":v99"), a.artifact_exists(COLLECTION + ":v0", "model"))
[[getattr(x, name) for name in "id name qualified_name entity project version type state digest size file_count commit_hash history_step created_at updated_at url aliases tags description ttl source_name source_qualified_name source_version source_project source_entity is_link linked_at metadata".split()] for x in versions(a)]
[(repr(x.collection), repr(x.source_artifact), sorted(map(repr, x.linked_artifacts)), repr(x.logged_by()), sorted(map(repr, x.used_by())), x.json_encode()) for x in versions(a)]
[sorted((e.path, e.digest, e.size, e.ref) for e in x.manifest.entries.values()) for x in versions(a)]
a.artifact(COLLECTION + ":v0").get_entry("nope")
(a.organization().name, a.organization().org_entity.name)
a.organization("nope")
(lambda g: (g.name, g.full_name, g.entity, g.organization, g.path, g.description, g.visibility, list(g.artifact_types), g.created_at, g.updated_at, g.id, g.internal_id))(a.registry("model", ORG))
a.registry("nope", ORG)
list(a.registries(organization="nope"))
([r.name for r in a.registries(organization=ORG, filter={"name": {"$regex": "mod"}})], [r.name for r in a.registries(organization=ORG, filter={"name": "nope"})], [r.name for r in a.registries(organization=ORG, order="-name")])
list(a.registries(organization=ORG, order="nope"))
sorted(c.name for c in a.registries(organization=ORG).collections())
sorted((x.id, x.linked_at) for x in a.registries(organization=ORG).versions())
[c.name for c in a.registries(organization=ORG).collections(filter={"tag": "x"})]
sorted((x.id, x.name, x.description, x.enabled) for x in a.automations(TEAM))
([x.name for x in a.automations(TEAM, name="nope")], [x.id for x in a.webhook_integrations(TEAM)], [(x.id, x.team_name, x.channel_name) for x in a.slack_integrations(entity=TEAM)])
a.automation("nope", entity=TEAM)
[(r.id, r.name, r.display_name, r.description, r.created_at, r.updated_at, r.url, r.spec) for r in a.reports(P)]
(len(list(a.reports(P, name="nope"))), sorted((m.id, m.name, m.username, m.email, m.account_type, m.admin) for m in a.team(TEAM).members))
""".strip().splitlines()
"""Expressions about a client ``a``."""


@pytest.fixture(scope="module")
def ask(real, mirror):
    """Return what evaluates an expression about both clients: value, or error."""
    run = next(run for run in real.runs(P) if run.sweep_name)
    kept = [
        x.qualified_name
        for kind in ("dataset", "model")
        for collection in real.artifact_type(kind, P).collections()
        for x in collection.artifacts()
    ]
    own = Api(mirror=mirror.folder)
    names = {
        "P": P, "TEAM": TEAM, "R": "/".join(run.path), "ID": run.id, "SWEEP": run.sweep_name,
        "COLLECTION": kept[0].partition(":")[0], "ORG": own.organization().name,
        "ids": lambda runs: sorted(run.id for run in runs),  # upstream's order of ties is not known
        "S": lambda a: a.sweep(f"{P}/{run.sweep_name}"),
        "versions": lambda a: [a.artifact(name) for name in kept],
    }  # fmt: skip

    def evaluate(expression):
        found = []
        for a in (real, own):
            a.flush()  # a list that another test went through has its place at the end
            try:
                with warnings.catch_warnings(action="ignore"):
                    found.append(cleaned(eval(expression, names | {"a": a})))  # noqa: S307
            except Exception as error:  # noqa: BLE001  (whatever a client raises)
                found.append(error)
        return found

    return evaluate


@pytest.mark.parametrize("expression", SAME)
def test_a_member_answers_as_the_real_clients_does(ask, expression):
    theirs, ours = ask(expression)
    assert isinstance(ours, Exception) == isinstance(theirs, Exception), (theirs, ours)
    if isinstance(theirs, Exception):
        for sort in (KeyError, IndexError, AttributeError, ValueError):
            assert isinstance(ours, sort) or not isinstance(theirs, sort), (theirs, ours)
    else:
        assert ours == theirs


def test_every_field_that_the_server_sends_is_here_or_refused_by_name(real, mirror):
    ours = Api(mirror=mirror.folder)

    def objects(a):
        run = a.runs(P, lazy=False)[0]
        run.load(force=True)
        sweep = a.project("mnist-baselines", TEAM).sweeps()[0]
        project, team = a.project("mnist-baselines", TEAM), a.team(TEAM)
        assert project.id
        version = a.artifact(f"{P}/{a.artifact_type('dataset', P).collections()[0].name}:latest")
        return [run, run.user, sweep, sweep.agents()[0], project, team, team.members[0], a.viewer,
                a.reports(P)[0], version.files()[0]]  # fmt: skip

    missing = []
    for theirs, mine in zip(objects(real), objects(ours), strict=True):
        for key in theirs._attrs.keys() - {"__typename", "storagePath"}:
            name = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()
            try:
                with suppress(OnlyUpstream):
                    getattr(mine, name)
            except AttributeError:
                missing.append((type(mine).__name__, name))
    assert missing == []
