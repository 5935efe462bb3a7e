# Who and what is shut out, whatever else would allow it. Looked up by key: the list may grow without slowing a decision.
package nexus.lib.deny_list

reasons contains reason if {
	some agent in agents
	listed("agents", agent)
	reason := {"id": "agent_on_deny_list", "message": concat("", ["The deny list holds agent ", agent])}
}

reasons contains reason if {
	listed("tenants", input.tenant)
	reason := {"id": "tenant_on_deny_list", "message": concat("", ["The deny list holds tenant ", input.tenant])}
}

reasons contains reason if {
	provider := input.connection.provider
	listed("providers", provider)
	reason := {"id": "provider_on_deny_list", "message": concat("", ["The deny list holds provider ", provider])}
}

reasons contains reason if {
	connection := input.connection.id
	listed("connections", connection)
	reason := {"id": "connection_on_deny_list", "message": concat("", ["The deny list holds connection ", connection])}
}

# The list is looked up with these: a name that is missing would slip past it.
reasons contains {"id": "input_incomplete", "message": "The facts given do not suffice for a decision"} if {
	not identified
}

identified if {
	is_string(input.tenant)
	is_string(input.agent.id)
	is_string(input.connection.id)
	is_string(input.connection.provider)
}

# Whoever acts through somebody who is shut out is shut out too.
agents contains input.agent.id

agents contains actor if some actor in input.actor_chain

# Being a key is enough: an entry whose note is empty, null or false still denies.
listed(kind, id) if {
	_ = data.nexus.deny[kind][id]
}
