#!/bin/sh
# Starts Ceph for tests: a monitor, an object storage daemon with all data in memory, and a gateway.
# Usage: ceph.sh FOLDER PORT MONITOR_PORT. Writes the process ids to FOLDER/*.pid.
set -e
folder=$1 port=$2 monitor=$3
mkdir -p "$folder/mon" "$folder/osd" "$folder/run"
fsid=$(cat /proc/sys/kernel/random/uuid)
# Settings that differ from the defaults for a reason:
# - "ms mon client mode": the gateway requires encryption otherwise, and there are no keys.
# - "tcp_nodelay": the gateway delays small responses otherwise.
# - "paxos": each change of the cluster map takes a second otherwise.
cat >"$folder/ceph.conf" <<CONF
[global]
fsid = $fsid
mon host = v2:127.0.0.1:$monitor/0
public network = 127.0.0.0/8
ms bind ipv4 = true
ms bind ipv6 = false
ms mon client mode = crc
auth cluster required = none
auth service required = none
auth client required = none
run dir = $folder/run
admin socket = $folder/run/\$name.asok
log file = $folder/run/\$name.log
crash dir = $folder/run
keyring = /dev/null
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data = $folder/mon
paxos propose interval = 0.05
paxos min wait = 0.01
osd class update on start = false
mon data avail crit = 1
mon data avail warn = 1
osd data = $folder/osd
osd objectstore = memstore
memstore device bytes = 4G
[client]
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw thread pool size = 32
rgw crypt require ssl = false
CONF
conf="-c $folder/ceph.conf"
monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$monitor]" "$folder/monmap"
ceph-mon $conf -i a --mkfs --monmap "$folder/monmap"
ceph-mon $conf -i a --pid-file "$folder/mon.pid"
osd=$(cat /proc/sys/kernel/random/uuid)
ceph $conf osd new "$osd"
ceph-osd $conf -i 0 --mkfs --osd-uuid "$osd"
ceph-osd $conf -i 0 --pid-file "$folder/osd.pid"
radosgw-admin $conf user create --uid=test --display-name=test --access-key=test --secret-key=testtest
radosgw $conf -n client.rgw --pid-file "$folder/rgw.pid"
until python3 -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$port/')"; do
    sleep 0.1
done
