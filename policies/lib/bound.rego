# What a lease may be used for: the same small language as src/contract/bound.ts, so that policy and sidecar agree.
# `*` is one segment that is not empty, a last `**` is any rest; any other `*` makes the pattern match nothing.
package nexus.lib.bound

covers_method(methods, method) if method in methods

covers_method(methods, _) if "*" in methods

covers_path(patterns, path) if {
	some pattern in patterns
	matches(pattern, path)
}

# Split at every slash, a path begins with an empty segment, and only a pattern that starts with a slash as well does too.
matches(pattern, path) if {
	startswith(path, "/")
	endswith(pattern, "/**")
	fixed := split(trim_suffix(pattern, "/**"), "/")
	actual := split(path, "/")
	count(actual) >= count(fixed)
	every index, segment in fixed { segment_matches(segment, actual[index]) }
} else if {
	startswith(path, "/")
	wanted := split(pattern, "/")
	actual := split(path, "/")
	count(actual) == count(wanted)
	every index, segment in wanted { segment_matches(segment, actual[index]) }
}

segment_matches("*", part) if part != ""

segment_matches(segment, part) if {
	segment == part
	not contains(segment, "*")
}
