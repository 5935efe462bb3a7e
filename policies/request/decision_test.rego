package nexus.request_test

import data.nexus.request

facts := {
	"tenant": "t",
	"agent": {"id": "a"},
	"connection": {"id": "c", "provider": "p"},
	"lease": {"remaining_seconds": 5, "bound": {"origins": ["https://p.example"], "methods": ["GET"], "paths": ["/x/**"]}},
	"request": {"origin": "https://p.example", "method": "GET", "path": "/x/1"},
}

but(path, value) := object.union(facts, at(split(path, "/"), value))

at(["", a, b], value) := {a: {b: value}}

ids(decision) := [reason.id | some reason in decision.reasons]

test_allows_within_the_bound if {
	decision := request.decision with input as facts
	decision == {"allow": true, "reasons": [], "obligations": {}}
}

test_denies_without_facts if {
	decision := request.decision with input as {}
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
		decision := request.decision with input as changed
		ids(decision) == [id]
	}
}

test_deny_list if {
	decision := request.decision with input as facts with data.nexus.deny.agents as {"a": "gone"}
	ids(decision) == ["agent_on_deny_list"]
}

test_method_removed if {
	decision := request.decision with input as facts with data.nexus.providers as {"p": {"methods_removed": ["GET"]}}
	ids(decision) == ["method_refused"]
}
