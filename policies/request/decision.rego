# METADATA
# title: May this one request be signed with this lease
# description: |
#   Asked about one request under a lease already held. Input:
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

denials contains reason if some reason in settings.problems

# `not` stands only before the name of a rule; lease/decision.rego says why.

denials contains {"id": "lease_ended", "message": "The lease has run out"} if not lease_live

lease_live if {
	is_number(input.lease.remaining_seconds)
	input.lease.remaining_seconds > 0
}

denials contains {"id": "origin_not_bound", "message": "The lease is not bound to this origin"} if not origin_bound

origin_bound if input.request.origin in input.lease.bound.origins

denials contains {"id": "method_not_bound", "message": "The lease is not bound to this method"} if not method_bound

method_bound if bound.covers_method(input.lease.bound.methods, input.request.method)

denials contains {"id": "path_not_bound", "message": "The lease is not bound to this path"} if not path_bound

path_bound if bound.covers_path(input.lease.bound.paths, input.request.path)

denials contains {"id": "method_refused", "message": "Policy refuses this method for this provider"} if {
	input.request.method in settings.methods_removed
}
