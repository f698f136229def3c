// Package pyenvtest makes environments for tests: real virtual environments, what a
// conda environment is known by, wheels. Only tests import it.
package pyenvtest
