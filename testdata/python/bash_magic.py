%%bash
echo one
echo two >&2
exit 3
