%nosuchmagic
