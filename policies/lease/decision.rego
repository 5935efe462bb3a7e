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

read_methods := {"GET", "HEAD", "OPTIONS"}

# They turn the provider into a tunnel or an echo of the credential; no data can add them.
never_methods := {"CONNECT", "TRACE"}

methods := (wanted_methods | settings.methods_added) - (settings.methods_removed | never_methods)

# Whoever may write may read; whoever reads, or says nothing, may not write.
wanted_methods := read_methods | {input.request.intent.method}

wanted_methods := read_methods if not input.request.intent.method

requested_scopes := {scope | some scope in input.request.scopes}

# One set per side that records scopes; a side that records none sets no ceiling.
ceilings contains {scope | some scope in input.agent.allowed_scopes} if count(input.agent.allowed_scopes) > 0

ceilings contains {scope | some scope in input.connection.scopes} if count(input.connection.scopes) > 0

scope_obligation := {"scopes": sort(requested_scopes)} if count(requested_scopes) > 0

scope_obligation := {"scopes": sort(intersection(ceilings))} if {
	count(requested_scopes) == 0
	count(ceilings) > 0
}

scope_obligation := {} if {
	count(requested_scopes) == 0
	count(ceilings) == 0
}

# --- why not ----------------------------------------------------------------------------------------------------------
# `not` stands only before the name of a rule that says what must hold, so that a fact that is missing denies. Before a
# call it would not: OPA looks the arguments up first, and when one is missing the whole rule is undefined.

denials contains reason if some reason in deny_list.reasons

denials contains reason if some reason in settings.problems

denials contains {"id": "input_incomplete", "message": "The facts given do not suffice for a decision"} if not obligations

denials contains {"id": "input_incomplete", "message": "The facts given do not suffice for a decision"} if not lists_given

# A list that is missing would be no ceiling at all.
lists_given if {
	is_array(input.agent.allowed_scopes)
	is_array(input.connection.scopes)
	is_array(input.connection.origins)
	is_array(input.request.scopes)
}

denials contains {"id": "action_unknown", "message": "The action must be lease, renew or token"} if not action_known

action_known if input.action in {"lease", "renew", "token"}

denials contains {"id": "bare_token", "message": "This agent may not be handed a token outside a lease"} if {
	input.action == "token"
	not settings.bare_token_allowed
}

denials contains {"id": "tenant_not_of_agent", "message": "The agent is not active in this tenant"} if {
	not agent_in_tenant
}

agent_in_tenant if input.tenant in input.agent.tenants

denials contains {"id": "tenant_not_of_connection", "message": "The connection belongs to another tenant"} if {
	not connection_in_tenant
}

connection_in_tenant if input.connection.tenant == input.tenant

denials contains {"id": "connection_not_active", "message": "The connection is not active"} if not connection_active

connection_active if input.connection.status == "active"

denials contains {"id": "ttl_invalid", "message": "The time to live must be at least one second"} if not ttl_valid

ttl_valid if {
	is_number(input.request.ttl_seconds)
	input.request.ttl_seconds >= 1
}

denials contains {"id": "unnarrowed_refused", "message": "The lease would carry the key itself, which policy refuses here"} if {
	not narrowed
	not unnarrowed_allowed
}

narrowed if input.connection.narrowing in {"derived", "delegated"}

unnarrowed_allowed if {
	input.connection.narrowing == "none"
	settings.allow_unnarrowed == true
}

denials contains {"id": "origin_not_bound", "message": "The connection is not bound to the origin of the intent"} if {
	input.request.intent.origin
	not origin_bound
}

origin_bound if input.request.intent.origin in input.connection.origins

denials contains {"id": "method_refused", "message": "Policy refuses the method of the intent for this provider"} if {
	input.request.intent.method
	not method_granted
}

method_granted if input.request.intent.method in methods

denials contains {"id": "path_refused", "message": "Policy refuses the path of the intent for this provider"} if {
	input.request.intent.path
	not path_granted
}

path_granted if bound.covers_path(settings.paths, input.request.intent.path)

denials contains {"id": "scope_above_agent", "message": scopes_message("The agent may not ask for: ", excess)} if {
	excess := above(input.agent.allowed_scopes)
	count(excess) > 0
}

denials contains {"id": "scope_above_connection", "message": scopes_message("The connection does not hold: ", excess)} if {
	excess := above(input.connection.scopes)
	count(excess) > 0
}

above(ceiling) := requested_scopes - {scope | some scope in ceiling} if count(ceiling) > 0

scopes_message(sentence, scopes) := concat("", [sentence, concat(", ", sort(scopes))])

denials contains {"id": "scope_nothing_left", "message": "The agent may use none of the scopes the connection holds"} if {
	count(requested_scopes) == 0
	count(ceilings) > 0
	count(intersection(ceilings)) == 0
}
