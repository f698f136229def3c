package pyenv

// ReadyMark is written last into a managed environment: a directory without it
// is half made and is made anew.
const ReadyMark = ".mce-ready.json"
