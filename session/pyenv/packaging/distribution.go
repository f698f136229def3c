package packaging

import "strings"

// DistributionOf is the distribution that gives a module of another name, "" for
// one that is not widely known. Only the first part of a dotted name counts.
func DistributionOf(module string) string {
	top, _, _ := strings.Cut(module, ".")
	return map[string]string{
		"attr": "attrs", "bs4": "beautifulsoup4", "Bio": "biopython", "Crypto": "pycryptodome", "cv2": "opencv-python-headless",
		"dateutil": "python-dateutil", "docx": "python-docx", "dotenv": "python-dotenv", "faiss": "faiss-cpu",
		"fitz": "PyMuPDF", "git": "GitPython", "google": "protobuf",
		"jose": "python-jose", "jwt": "PyJWT", "Levenshtein": "levenshtein", "magic": "python-magic",
		"MySQLdb": "mysqlclient", "nacl": "PyNaCl", "OpenSSL": "pyOpenSSL", "PIL": "Pillow", "pkg_resources": "setuptools",
		"pptx": "python-pptx", "psycopg2": "psycopg2-binary", "pywt": "PyWavelets", "rest_framework": "djangorestframework",
		"ruamel": "ruamel.yaml", "serial": "pyserial", "skimage": "scikit-image", "sklearn": "scikit-learn", "slugify": "python-slugify",
		"telegram": "python-telegram-bot", "usb": "pyusb", "win32api": "pywin32", "wx": "wxPython", "yaml": "PyYAML", "zmq": "pyzmq",
	}[top]
}
