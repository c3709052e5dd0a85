# SPDX-License-Identifier: MIT
# ports.sh: those of peer.py that shell scripts use.
eval "$(python3 -c 'import peer; print(f"ECHO={peer.ECHO} STATUS={peer.STATUS}")')"
