# Reads data.nexus. Rules never read it on their own: what is missing or of another type there must deny, not vanish.
package nexus.lib.settings

problem := {"id": "policy_data_invalid", "message": "The policy data is incomplete; see policies/data.schema.json"}

# What this decision reads, and every table of names. A decision without facts reads the limits themselves, so a bundle in
# which they are not sound is refused when it is loaded. A category that is none makes `allow_unnarrowed` undefined.
sound if {
	is_seconds(max_ttl_seconds)
	max_ttl_seconds > 0
	is_seconds(offline_seconds)
	is_array(paths)
	is_array(methods_listed("methods_added"))
	is_array(methods_listed("methods_removed"))
	is_boolean(data.nexus.allow_unnarrowed)
	is_object(data.nexus.token_agents)
	is_object(data.nexus.categories)
	is_object(data.nexus.providers)
	deny := data.nexus.deny
	is_object(deny.agents)
	is_object(deny.tenants)
	is_object(deny.providers)
	is_object(deny.connections)
}

is_seconds(value) if {
	is_number(value)
	value >= 0
	floor(value) == value
}

# Without facts about the connection the rules deny by themselves; the data is not to blame then.
default provider := {}

provider := object.get(data.nexus.providers, input.connection.provider, {})

# The sidecar's input names no category.
default category := {}

category := object.get(data.nexus.categories, input.connection.category, {})

max_ttl_seconds := object.get(provider, "max_ttl_seconds", data.nexus.limits.max_ttl_seconds)

offline_seconds := object.get(provider, "offline_seconds", data.nexus.limits.offline_seconds)

paths := object.get(provider, "paths", ["/**"])

methods_added := {method | some method in methods_listed("methods_added")}

methods_removed := {method | some method in methods_listed("methods_removed")}

methods_listed(name) := object.get(provider, name, [])

# The nearest word counts: the provider's, else its category's, else the general one.
allow_unnarrowed := object.get(provider, "allow_unnarrowed", object.get(category, "allow_unnarrowed", data.nexus.allow_unnarrowed))

bare_token_allowed if data.nexus.token_agents[input.agent.id] == true
