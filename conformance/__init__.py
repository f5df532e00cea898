"""The cases of the Autobahn test suite against Spry: a server on each backend, and the core's client role."""
