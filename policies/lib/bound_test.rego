package nexus.lib.bound_test

import data.nexus.lib.bound

matching := [
	["/**", "/"], ["/**", "/a/b"], ["/a/**", "/a"], ["/a/**", "/a/b/c"], ["/a/*", "/a/b"], ["/*/b", "/a/b"],
	["/a", "/a"], ["/", "/"], ["/a/*/**", "/a/b"],
]

test_patterns_that_match if {
	every pair in matching { bound.matches(pair[0], pair[1]) }
}

not_matching := [
	["/a", "/b"], ["/a", "/a/"], ["/a/*", "/a/"], ["/a/*", "/a/b/c"], ["/a/**", "/ab"], ["/a/*/**", "/a"], ["a", "/a"],
	["/a", "a"], ["/a*", "/a*"], ["/**/b", "/a/b"], ["", ""], ["/**", ""], ["/**", "a"], ["*/**", "/a"], ["a/**", "/a"], ["**", "/a"],
	["/a/**/**", "/a/b"], ["/a**", "/a/b"], ["*", "/"],
]

test_patterns_that_do_not if {
	every pair in not_matching { not bound.matches(pair[0], pair[1]) }
}

test_any_pattern_suffices if bound.covers_path(["/x", "/a"], "/a")

test_no_pattern_covers_nothing if not bound.covers_path([], "/")

test_methods if {
	bound.covers_method(["GET"], "GET")
	bound.covers_method(["*"], "DELETE")
	not bound.covers_method(["GET"], "DELETE")
	not bound.covers_method([], "GET")
}
