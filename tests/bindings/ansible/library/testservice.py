#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""testservice.py: a service manager for guests that have none: what is started and enabled is a line in ROOT/services, with how often it was started."""
import json
import os

from ansible.module_utils.basic import AnsibleModule


def main():
    module = AnsibleModule(argument_spec={"name": {"required": True}, "state": {}, "enabled": {"type": "bool"}, "arguments": {"required": True}})
    path = os.path.join(module.params["arguments"], "services")
    services = {}
    if os.path.exists(path):
        with open(path) as file:
            services = json.load(file)
    service = services.setdefault(module.params["name"], {"runs": False, "enabled": False, "starts": 0})
    before = json.dumps(services)
    state, enabled = module.params["state"], module.params["enabled"]
    if state == "restarted" or (state == "started" and not service["runs"]):
        service["runs"] = True
        service["starts"] += 1
    if enabled is not None:
        service["enabled"] = enabled
    changed = json.dumps(services) != before
    if changed:
        with open(path, "w") as file:
            json.dump(services, file)
    module.exit_json(changed=changed, name=module.params["name"], state=state)


main()
