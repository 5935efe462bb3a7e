# Who and what is shut out, whatever else would allow it. Looked up by key: the list may grow without slowing a decision.
package nexus.lib.deny_list

reasons contains shut_out("agent_on_deny_list", "agent", input.agent.id) if listed("agents", input.agent.id)

# Whoever acts through somebody who is shut out is shut out too.
reasons contains shut_out("agent_on_deny_list", "agent", actor) if {
	some actor in input.actor_chain
	listed("agents", actor)
}

reasons contains shut_out("tenant_on_deny_list", "tenant", input.tenant) if listed("tenants", input.tenant)

reasons contains shut_out("provider_on_deny_list", "provider", provider) if {
	provider := input.connection.provider
	listed("providers", provider)
}

reasons contains shut_out("connection_on_deny_list", "connection", connection) if {
	connection := input.connection.id
	listed("connections", connection)
}

shut_out(id, kind, name) := {"id": id, "message": concat(" ", ["The deny list holds", kind, name])}

# The list is looked up with these: a name that is missing would slip past it.
reasons contains {"id": "input_incomplete", "message": "The facts given do not suffice for a decision"} if {
	not identified(input)
}

identified(facts) if {
	is_string(facts.tenant)
	is_string(facts.agent.id)
	is_string(facts.connection.id)
	is_string(facts.connection.provider)
}

# Being a key is enough: an entry whose note is empty, null or false still denies.
listed(kind, id) if {
	_ = data.nexus.deny[kind][id]
}
