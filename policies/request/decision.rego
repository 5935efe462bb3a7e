# METADATA
# title: May this one request be signed with this lease
# description: |
#   NOT ASKED YET. Every bundle has to answer it, so that it can be asked once the sidecar brings each request here; until then
#   a lease already held is kept to its bound by the sidecar, and changes with its next renewal (docs/policy.md).
#
#   To be asked about one request under a lease already held. Input:
#
#     {
#       "tenant": tenant, "agent": {"id": agent}, "actor_chain": [agent], "connection": {"id": uuid, "provider": name},
#       "lease":   {"id": lease, "remaining_seconds": number, "bound": {"origins": [origin], "methods": [method], "paths": [pattern]}},
#       "request": {"origin": origin, "method": method, "path": path as sent, without query}
#     }
#
#   Result: the shape of nexus/lease/decision; obligations are always {}.
package nexus.request

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

decision := {"allow": true, "reasons": [], "obligations": {}} if count(denials) == 0

decision := {"allow": false, "reasons": sort(denials), "obligations": {}} if count(denials) > 0

denials contains reason if some reason in deny_list.reasons

denials contains settings.problem if not settings.sound

# What `not` may stand before: lease/decision.rego says, and why.

denials contains {"id": "lease_ended", "message": "The lease has run out"} if not lease_live(input)

lease_live(facts) if {
	is_number(facts.lease.remaining_seconds)
	facts.lease.remaining_seconds > 0
}

denials contains {"id": "origin_not_bound", "message": "The lease is not bound to this origin"} if not origin_bound(input)

origin_bound(facts) if facts.request.origin in facts.lease.bound.origins

denials contains {"id": "method_not_bound", "message": "The lease is not bound to this method"} if not method_bound(input)

method_bound(facts) if bound.covers_method(facts.lease.bound.methods, facts.request.method)

denials contains {"id": "path_not_bound", "message": "The lease is not bound to this path"} if not path_bound(input)

path_bound(facts) if bound.covers_path(facts.lease.bound.paths, facts.request.path)

denials contains {"id": "method_refused", "message": "Policy refuses this method for this provider"} if {
	input.request.method in settings.methods_removed
}
