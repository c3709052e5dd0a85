# SPDX-License-Identifier: MIT
"""What run.py is made of: hosted.py (a host with a daemon), measures.py (what is measured, and how), report.py (table and
plot)."""
