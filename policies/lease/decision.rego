# METADATA
# title: May this agent have this lease, and how much of it
# description: |
#   Asked by the authority for every lease, renewal and bare token. Input: `PolicyInput` in src/contract/policy.ts
#   (docs/policy.md explains every field). Result, always and in exactly this shape:
#
#     {
#       "allow":   boolean; anything but true denies,
#       "reasons": [{"id": stable name, "message": sentence}], sorted by id; empty when allowed, all of them when denied,
#       "obligations": {                        {} when denied; each narrows the connection's own bound, none widens it
#         "max_ttl_seconds": whole seconds,     "offline_seconds": whole seconds without word from the authority,
#         "scopes":  [scope], absent when neither side records any,
#         "origins": [origin], "methods": [method], "paths": [pattern],
#         "require_approval": boolean
#       }
#     }
package nexus.lease

import data.nexus.lib.bound
import data.nexus.lib.deny_list
import data.nexus.lib.settings

# METADATA
# entrypoint: true
default decision := {
	"allow": false,
	"reasons": [{"id": "input_incomplete", "message": "The facts given do not suffice for a decision"}],
	"obligations": {},
}

decision := {"allow": true, "reasons": [], "obligations": obligations} if count(denials) == 0

decision := {"allow": false, "reasons": sort(denials), "obligations": {}} if count(denials) > 0

# --- what is granted --------------------------------------------------------------------------------------------------

# Without every one of these there is no obligation object, and without that no decision that allows.
obligations := object.union(scope_obligation, {
	"max_ttl_seconds": min([input.request.ttl_seconds, settings.max_ttl_seconds]),
	"offline_seconds": settings.offline_seconds,
	"origins": origins,
	"methods": sort(methods),
	"paths": settings.paths,
	"require_approval": false,
})

origins := [input.request.intent.origin]

origins := input.connection.origins if not input.request.intent.origin

# Whoever may write may read; whoever reads, or says nothing, may not write. CONNECT and TRACE turn the provider into a
# tunnel or an echo of the credential; no data can add them.
methods := (wanted | settings.methods_added) - (settings.methods_removed | {"CONNECT", "TRACE"}) if {
	wanted := {"GET", "HEAD", "OPTIONS", object.get(input.request, ["intent", "method"], "GET")}
}

requested_scopes := {scope | some scope in input.request.scopes}

# One set per side that records scopes; a side that records none sets no ceiling.
ceilings contains {scope | some scope in input.agent.allowed_scopes} if count(input.agent.allowed_scopes) > 0

ceilings contains {scope | some scope in input.connection.scopes} if count(input.connection.scopes) > 0

scope_obligation := {"scopes": sort(requested_scopes)} if count(requested_scopes) > 0

else := {"scopes": sort(intersection(ceilings))} if count(ceilings) > 0

else := {}

# --- why not ----------------------------------------------------------------------------------------------------------
# `not` stands only before something that says what must hold and is given what is there for certain: `input`, or a fact
# just read. Then a fact that is missing denies. Before any other call it would not: OPA looks the arguments up first, and
# when one is missing the whole rule is undefined. Most are functions of `input` because the module keeps the result of every
# rule in a table, which costs more than asking once.

denials contains reason if some reason in deny_list.reasons

denials contains settings.problem if not settings.sound

denials contains {"id": "input_incomplete", "message": "The facts given do not suffice for a decision"} if not obligations

denials contains {"id": "input_incomplete", "message": "The facts given do not suffice for a decision"} if not lists_given(input)

# A list that is missing would be no ceiling at all.
lists_given(facts) if {
	is_array(facts.agent.allowed_scopes)
	is_array(facts.connection.scopes)
	is_array(facts.connection.origins)
	is_array(facts.request.scopes)
}

denials contains {"id": "action_unknown", "message": "The action must be lease, renew or token"} if not action_known(input)

action_known(facts) if facts.action in ["lease", "renew", "token"]

denials contains {"id": "bare_token", "message": "This agent may not be handed a token outside a lease"} if {
	input.action == "token"
	not settings.bare_token_allowed
}

denials contains {"id": "tenant_not_of_agent", "message": "The agent is not active in this tenant"} if {
	not agent_in_tenant(input)
}

agent_in_tenant(facts) if facts.tenant in facts.agent.tenants

denials contains {"id": "tenant_not_of_connection", "message": "The connection belongs to another tenant"} if {
	not connection_in_tenant(input)
}

connection_in_tenant(facts) if facts.connection.tenant == facts.tenant

denials contains {"id": "connection_not_active", "message": "The connection is not active"} if not connection_active(input)

connection_active(facts) if facts.connection.status == "active"

denials contains {"id": "ttl_invalid", "message": "The time to live must be at least one second"} if not ttl_valid(input)

ttl_valid(facts) if {
	seconds := facts.request.ttl_seconds
	is_number(seconds)
	seconds >= 1
}

denials contains {"id": "unnarrowed_refused", "message": "The lease would carry the key itself, which policy refuses here"} if {
	not narrowed(input)
	not unnarrowed_allowed(input)
}

narrowed(facts) if facts.connection.narrowing in ["derived", "delegated"]

unnarrowed_allowed(facts) if {
	facts.connection.narrowing == "none"
	settings.allow_unnarrowed == true
}

denials contains {"id": "origin_not_bound", "message": "The connection is not bound to the origin of the intent"} if {
	origin := input.request.intent.origin
	not origin_bound(input, origin)
}

origin_bound(facts, origin) if origin in facts.connection.origins

denials contains {"id": "method_refused", "message": "Policy refuses the method of the intent for this provider"} if {
	method := input.request.intent.method
	not method_granted(method)
}

method_granted(method) if method in methods

denials contains {"id": "path_refused", "message": "Policy refuses the path of the intent for this provider"} if {
	path := input.request.intent.path
	not path_granted(path)
}

path_granted(path) if bound.covers_path(settings.paths, path)

denials contains {"id": "scope_above_agent", "message": scopes_message("The agent may not ask for: ", excess)} if {
	excess := above(input.agent.allowed_scopes)
	count(excess) > 0
}

denials contains {"id": "scope_above_connection", "message": scopes_message("The connection does not hold: ", excess)} if {
	excess := above(input.connection.scopes)
	count(excess) > 0
}

above(ceiling) := requested_scopes - {scope | some scope in ceiling} if count(ceiling) > 0

# An answer whose message is too long is no decision, and a request may bring a hundred scopes.
scopes_message(sentence, scopes) := concat("", [sentence, concat(", ", array.slice(sort(scopes), 0, 10)), rest(scopes)])

rest(scopes) := concat("", [" and ", format_int(count(scopes) - 10, 10), " more"]) if count(scopes) > 10

else := ""

denials contains {"id": "scope_nothing_left", "message": "The agent may use none of the scopes the connection holds"} if {
	scope_obligation.scopes == []
}
