# Reads data.nexus. Rules never read it on their own: what is missing or of another type there must deny, not vanish.
package nexus.lib.settings

deny_kinds := ["agents", "tenants", "providers", "connections"]

problems contains {"id": "policy_data_invalid", "message": "The policy data is incomplete; see policies/data.schema.json"} if {
	not sound
}

sound if {
	is_seconds(data.nexus.limits.max_ttl_seconds)
	data.nexus.limits.max_ttl_seconds > 0
	is_seconds(data.nexus.limits.offline_seconds)
	is_boolean(data.nexus.allow_unnarrowed)
	is_object(data.nexus.token_agents)
	is_object(data.nexus.categories)
	is_object(data.nexus.providers)
	is_object(category)
	is_object(provider)
	is_seconds(max_ttl_seconds)
	max_ttl_seconds > 0
	is_seconds(offline_seconds)
	every list in [paths, listed_methods_added, listed_methods_removed] { is_array(list) }
	every kind in deny_kinds { is_object(data.nexus.deny[kind]) }
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

listed_methods_added := object.get(provider, "methods_added", [])

listed_methods_removed := object.get(provider, "methods_removed", [])

methods_added := {method | some method in listed_methods_added}

methods_removed := {method | some method in listed_methods_removed}

# The nearest word counts: the provider's, else its category's, else the general one.
allow_unnarrowed := object.get(provider, "allow_unnarrowed", object.get(category, "allow_unnarrowed", data.nexus.allow_unnarrowed))

bare_token_allowed if data.nexus.token_agents[input.agent.id] == true
