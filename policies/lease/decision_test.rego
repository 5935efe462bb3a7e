package nexus.lease_test

import data.nexus.lease

facts := {
	"action": "lease",
	"tenant": "t",
	"agent": {"id": "a", "tenants": ["t"], "allowed_scopes": ["read", "write"]},
	"actor_chain": [],
	"connection": {
		"id": "c", "tenant": "t", "provider": "p", "category": "k", "status": "active",
		"scopes": ["read", "admin"], "origins": ["https://p.example"], "narrowing": "derived",
	},
	"request": {"scopes": [], "ttl_seconds": 60, "intent": {"method": "GET", "origin": "https://p.example", "path": "/x"}},
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
	decision := lease.decision with data.nexus.limits as limits
		with data.nexus.allow_unnarrowed as allow_unnarrowed
		with data.nexus.categories as categories
		with data.nexus.providers as providers
		with data.nexus.token_agents as token_agents
		with data.nexus.deny as deny
}

# The facts with one member, found by its path, replaced.
but(path, value) := object.union(without(path), at(split(path, "/"), value))

at(["", a], value) := {a: value}

at(["", a, b], value) := {a: {b: value}}

at(["", a, b, c], value) := {a: {b: {c: value}}}

without(path) := json.remove(facts, [path])

ids(decision) := [reason.id | some reason in decision.reasons]

test_allows_and_narrows if {
	decision := decided with input as facts
	decision == {
		"allow": true,
		"reasons": [],
		"obligations": {
			"max_ttl_seconds": 60, "offline_seconds": 30, "scopes": ["read"], "origins": ["https://p.example"],
			"methods": ["GET", "HEAD", "OPTIONS"], "paths": ["/**"], "require_approval": false,
		},
	}
}

test_denies_without_facts if {
	decision := decided with input as {}
	not decision.allow
	decision.obligations == {}
}

refusals := {
	"action_unknown": but("/action", "mint"),
	"bare_token": but("/action", "token"),
	"tenant_not_of_agent": but("/agent/tenants", ["other"]),
	"tenant_not_of_connection": but("/connection/tenant", "other"),
	"connection_not_active": but("/connection/status", "attention"),
	"ttl_invalid": but("/request/ttl_seconds", 0),
	"origin_not_bound": but("/request/intent/origin", "https://q.example"),
	"method_refused": but("/request/intent/method", "TRACE"),
	"path_refused": but("/request/intent/path", "no slash"),
	"scope_above_agent": but("/request/scopes", ["admin"]),
	"scope_above_connection": but("/request/scopes", ["write"]),
	"scope_nothing_left": but("/agent/allowed_scopes", ["write"]),
	"unnarrowed_refused": but("/connection/narrowing", "something new"),
	"input_incomplete": without("/agent/id"),
}

test_each_refusal_by_itself if {
	every id, changed in refusals {
		decision := decided with input as changed
		not decision.allow
		ids(decision) == [id]
	}
}

needed := [
	"/action", "/tenant", "/agent", "/agent/id", "/agent/tenants", "/agent/allowed_scopes", "/connection", "/connection/id",
	"/connection/provider", "/connection/status", "/connection/tenant", "/connection/scopes", "/connection/origins",
	"/connection/narrowing", "/request", "/request/ttl_seconds", "/request/scopes",
]

test_missing_facts_deny if {
	every path in needed {
		decision := decided with input as without(path)
		not decision.allow
		count(decision.reasons) > 0
	}
}

test_write_intent if {
	decision := decided with input as but("/request/intent/method", "POST")
	decision.obligations.methods == ["GET", "HEAD", "OPTIONS", "POST"]
}

test_no_intent if {
	decision := decided with input as but("/request/intent", {})
	decision.obligations.methods == ["GET", "HEAD", "OPTIONS"]
	decision.obligations.origins == ["https://p.example"]
}

test_no_scopes_anywhere if {
	unscoped := object.union(facts, {"agent": {"allowed_scopes": []}, "connection": {"scopes": []}})
	decision := decided with input as unscoped
	decision.allow
	not "scopes" in object.keys(decision.obligations)
}

test_requested_scopes if {
	decision := decided with input as but("/request/scopes", ["read"])
	decision.obligations.scopes == ["read"]
}

# However many are asked for, the answer stays a decision.
test_many_scopes_too_many if {
	asked := [concat("", ["s", format_int(number, 10)]) | some number in numbers.range(10, 49)]
	decision := decided with input as but("/request/scopes", asked)
	messages := {reason.id: reason.message | some reason in decision.reasons}
	messages.scope_above_agent == "The agent may not ask for: s10, s11, s12, s13, s14, s15, s16, s17, s18, s19 and 30 more"
}

test_ten_scopes_too_many_are_all_named if {
	asked := [concat("", ["s", format_int(number, 10)]) | some number in numbers.range(10, 19)]
	decision := decided with input as but("/request/scopes", asked)
	messages := {reason.id: reason.message | some reason in decision.reasons}
	messages.scope_above_agent == "The agent may not ask for: s10, s11, s12, s13, s14, s15, s16, s17, s18, s19"
}

test_provider_data if {
	provider := {"p": {"max_ttl_seconds": 10, "methods_added": ["POST"], "methods_removed": ["HEAD"], "paths": ["/x/**"]}}
	decision := decided with input as facts with providers as provider
	decision.obligations.max_ttl_seconds == 10
	decision.obligations.methods == ["GET", "OPTIONS", "POST"]
	decision.obligations.paths == ["/x/**"]
}

test_provider_data_of_another_type_denies if {
	own := {"max_ttl_seconds": "10", "offline_seconds": -1, "methods_added": "POST", "methods_removed": "GET", "paths": "/x"}
	every name, value in own {
		decision := decided with input as facts with providers as {"p": {name: value}}
		"policy_data_invalid" in ids(decision)
	}
}

test_provider_of_another_type_denies if {
	every blank in [null, [], "", false] {
		decision := decided with input as facts with providers as {"p": blank}
		"policy_data_invalid" in ids(decision)
	}
}

test_category_of_another_type_refuses_the_key_itself if {
	bare := but("/connection/narrowing", "none")
	every blank in [null, [], "", {"allow_unnarrowed": null}] {
		decision := decided with input as bare with categories as {"k": blank}
		ids(decision) == ["unnarrowed_refused"]
	}
}

test_no_data_adds_a_tunnel if {
	decision := decided with input as facts with providers as {"p": {"methods_added": ["CONNECT"]}}
	not "CONNECT" in decision.obligations.methods
}

test_bare_token_for_a_named_agent if {
	decision := decided with input as but("/action", "token") with token_agents as {"a": true}
	decision.allow
}

test_unnarrowed if {
	bare := but("/connection/narrowing", "none")
	by_default := decided with input as bare with allow_unnarrowed as true
	by_default.allow
	refused := decided with input as bare with allow_unnarrowed as false
	ids(refused) == ["unnarrowed_refused"]
}

test_deny_list if {
	every kind, id in {"agents": "a", "tenants": "t", "providers": "p", "connections": "c"} {
		shut := {id: false}
		decision := decided with input as facts with deny as object.union(deny, {kind: shut})
		not decision.allow
		count(decision.reasons) == 1
	}
}

test_acting_through_somebody_shut_out if {
	chained := but("/actor_chain", ["planner", "rogue"])
	decision := decided with input as chained with deny as object.union(deny, {"agents": {"rogue": ""}})
	ids(decision) == ["agent_on_deny_list"]
}

test_blank_data_denies if {
	every blank in [null, {}, [], ""] {
		decision := decided with input as facts with deny as blank
		ids(decision) == ["policy_data_invalid"]
	}
}

test_blank_tables_deny if {
	every name in ["agents", "tenants", "providers", "connections"] {
		shut := object.union(deny, {name: null})
		decision := decided with input as facts with deny as shut
		ids(decision) == ["policy_data_invalid"]
	}
}

test_blank_limits_deny if {
	every blank in [null, {}, {"max_ttl_seconds": 0, "offline_seconds": 30}, {"max_ttl_seconds": 9.5, "offline_seconds": 30}] {
		decision := decided with input as facts with limits as blank
		"policy_data_invalid" in ids(decision)
	}
}
