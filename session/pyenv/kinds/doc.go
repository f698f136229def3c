// Package kinds has an entry for each way environments are made or kept: venv, uv,
// conda, pixi, Poetry, Pipenv, PDM, Hatch, virtualenvwrapper, pyenv, and ours. An
// entry says how its environments are known, where they lie, how they are activated
// and made anew. Adding one takes a file and a line in [All]. The package looks at
// files; it must not start a program, choose among environments or change one.
package kinds
