// Package conda knows where conda, mamba, micromamba and pixi keep things: their
// installations, the directories of environments, configuration files, and which
// program owns a prefix. It looks at files and, as a last resort, asks conda. It
// must not start a Python, install anything, or choose among environments.
package conda
