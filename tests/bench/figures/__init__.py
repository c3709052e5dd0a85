# SPDX-License-Identifier: MIT
"""What run.py is made of: hosted.py (a host with a daemon), measures.py (what is measured, and how), agents.py (the same
of what needs a guest's agent), report.py (aims and tables), history.py (runs before this one), plots.py and page.py (a page of it all)."""
