"""Reads a server as programs of the field do, and prints what they saw as JSON.

    read_status.py STATUS_FILE_1 MANAGEMENT_SOCKET [KILL]

The first argument is a status file of version 1. With a third one, openvpn-monitor ends the session of the first client.
"""

import json
import os
import sys

import openvpn_api
import openvpn_status
import openvpn_status.utils

STATUS_FILE, SOCKET = sys.argv[1:3]
SHALL_KILL = len(sys.argv) > 3


def by_openvpn_status():
    # Its time format is that of OpenVPN 2.4; servers since 2.5 write ISO 8601.
    openvpn_status.utils.DATETIME_FORMAT_OPENVPN = "%Y-%m-%d %H:%M:%S"
    with open(STATUS_FILE) as file:
        status = openvpn_status.parse_status(file.read())
    return {
        "clients": [client.common_name for client in status.client_list.values()],
        "received": [int(client.bytes_received) for client in status.client_list.values()],
        "routes": [str(address) for address in status.routing_table],
    }


def by_openvpn_api():
    vpn = openvpn_api.VPN(socket=SOCKET)
    with vpn.connection():
        stats = vpn.get_stats()
        return {
            "version": vpn.version,
            "state": vpn.state.state_name,
            "address": str(vpn.state.local_virtual_v4_addr),
            "clients": stats.client_count,
            "received": stats.bytes_in,
            "status": len(vpn.get_status().client_list),
        }


def by_openvpn_monitor():
    import openvpn_monitor

    sys.path.insert(0, os.path.dirname(openvpn_monitor.__file__))
    from vpns.openvpn.data_collector import VPNDataCollector
    from vpns.openvpn.disconnector import VPNDisconnector

    vpns = {"vpn": {"name": "vpn", "socket": SOCKET, "show_disconnect": True}}
    VPNDataCollector(vpns, None)
    vpn = vpns["vpn"]
    sessions = list(vpn["sessions"].values())
    if SHALL_KILL:
        VPNDisconnector(vpns, vpn_id="vpn", client_id=sessions[0]["client_id"])
    return {
        "state": vpn["state"]["connected"],
        "clients": vpn["stats"]["nclients"],
        "sessions": [
            {
                "name": session["username"],
                "address": str(session["local_ip"]),
                "remote": str(session["remote_ip"]),
                "received": session["bytes_recv"],
                "was_seen": "last_seen" in session,
            }
            for session in sessions
        ],
    }


print(
    json.dumps(
        {
            "openvpn-status": by_openvpn_status(),
            "openvpn-api": by_openvpn_api(),
            "openvpn-monitor": by_openvpn_monitor(),
        }
    )
)
