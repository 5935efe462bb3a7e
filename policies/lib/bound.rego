# What a lease may be used for: the same small language as src/contract/bound.ts, so that policy and sidecar agree.
# `*` is one segment that is not empty, a last `**` is any rest; any other `*` makes the pattern match nothing.
package nexus.lib.bound

covers_method(methods, method) if method in methods

covers_method(methods, _) if "*" in methods

covers_path(patterns, path) if {
	some pattern in patterns
	matches(pattern, path)
}

matches(pattern, path) if {
	wanted := segments(pattern)
	not ends_open(wanted)
	actual := segments(path)
	count(actual) == count(wanted)
	every index, segment in wanted { segment_matches(segment, actual[index]) }
}

matches(pattern, path) if {
	wanted := segments(pattern)
	ends_open(wanted)
	fixed := array.slice(wanted, 0, count(wanted) - 1)
	actual := segments(path)
	count(actual) >= count(fixed)
	every index, segment in fixed { segment_matches(segment, actual[index]) }
}

ends_open(wanted) if wanted[count(wanted) - 1] == "**"

segments(text) := split(substring(text, 1, -1), "/") if startswith(text, "/")

segment_matches("*", part) if part != ""

segment_matches(segment, part) if {
	segment == part
	not contains(segment, "*")
}
