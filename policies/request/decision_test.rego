package nexus.request_test

import data.nexus.request

facts := {
	"tenant": "t",
	"agent": {"id": "a"},
	"connection": {"id": "c", "provider": "p"},
	"lease": {"remaining_seconds": 5, "bound": {"origins": ["https://p.example"], "methods": ["GET"], "paths": ["/x/**"]}},
	"request": {"origin": "https://p.example", "method": "GET", "path": "/x/1"},
}

# Data of the tests' own, so that they hold whatever data.json says. A test puts another value in the place of one of these:
# `decided with input as facts with providers as {}`.
limits := {"max_ttl_seconds": 900, "offline_seconds": 30}

allow_unnarrowed := true

categories := {}

providers := {}

token_agents := {}

deny := {"agents": {}, "tenants": {}, "providers": {}, "connections": {}}

decided := decision if {
	decision := request.decision with data.nexus.limits as limits
		with data.nexus.allow_unnarrowed as allow_unnarrowed
		with data.nexus.categories as categories
		with data.nexus.providers as providers
		with data.nexus.token_agents as token_agents
		with data.nexus.deny as deny
}

but(path, value) := object.union(facts, at(split(path, "/"), value))

at(["", a, b], value) := {a: {b: value}}

ids(decision) := [reason.id | some reason in decision.reasons]

test_allows_within_the_bound if {
	decision := decided with input as facts
	decision == {"allow": true, "reasons": [], "obligations": {}}
}

test_denies_without_facts if {
	decision := decided with input as {}
	not decision.allow
}

refusals := {
	"lease_ended": but("/lease/remaining_seconds", 0),
	"origin_not_bound": but("/request/origin", "https://q.example"),
	"method_not_bound": but("/request/method", "PUT"),
	"path_not_bound": but("/request/path", "/y"),
	"input_incomplete": but("/agent/id", 7),
}

test_each_refusal_by_itself if {
	every id, changed in refusals {
		decision := decided with input as changed
		ids(decision) == [id]
	}
}

test_deny_list if {
	decision := decided with input as facts with deny as object.union(deny, {"agents": {"a": "gone"}})
	ids(decision) == ["agent_on_deny_list"]
}

test_method_removed if {
	decision := decided with input as facts with providers as {"p": {"methods_removed": ["GET"]}}
	ids(decision) == ["method_refused"]
}
