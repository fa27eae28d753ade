#!/bin/bash
# Installs the peers that the tests with build tag "interop" start. Debian 12,
# as root for what apt-get installs.
#
#   interop/peers.sh base      MIT Kerberos, Apache, curl, Python's clients
#   interop/peers.sh samba     Samba as an Active Directory domain controller
#   interop/peers.sh heimdal   Heimdal, unpacked: its packages conflict with MIT's
#   interop/peers.sh squid     Squid, unpacked: nothing of it runs as a service
#   interop/peers.sh lighttpd  lighttpd with mod_authn_gssapi, unpacked likewise
#   interop/peers.sh kcm       sssd-kcm and, unpacked, Heimdal's kcm; keyutils
#   interop/peers.sh wine      Wine, for the provider of Windows, and its C: drive
#   interop/peers.sh all       all of them
#
# Unpacked peers go to $INTEROP_PEERS, /var/cache/negotiate-interop unless set.
# What is there already is left alone.
set -euo pipefail
umask 022

peers=${INTEROP_PEERS:-/var/cache/negotiate-interop}
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

base=(krb5-kdc krb5-admin-server krb5-user apache2 libapache2-mod-auth-gssapi
	curl wrk python3 python3-requests-kerberos python3-gssapi python3-kdcproxy krb5-k5tls)
samba=(samba samba-ad-dc samba-ad-provision samba-dsdb-modules winbind python3-samba)
heimdal=(heimdal-kdc heimdal-clients libkdc2-heimdal libasn1-8-heimdal libgssapi3-heimdal
	libhcrypto5-heimdal libhdb9-heimdal libheimbase1-heimdal libheimntlm0-heimdal
	libhx509-5-heimdal libkadm5clnt7-heimdal libkadm5srv8-heimdal libkrb5-26-heimdal
	libroken19-heimdal libsl0-heimdal libwind0-heimdal libkafs0-heimdal)
kcm=(sssd-kcm keyutils)
squid=(squid squid-common squid-langpack libecap3 libltdl7 libnfnetlink0
	libnetfilter-conntrack3)
lighttpd=(lighttpd lighttpd-mod-authn-gssapi)

wine=(wine wine64)

updated=
update() {
	[[ -n $updated ]] || apt-get -qq update
	updated=yes
}

# install NAME...: those of the packages that are not installed yet. A service
# that comes with them is not started: the tests start their own.
install() {
	local missing=() name
	for name in "$@"; do
		dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
	done
	((${#missing[@]})) || return 0
	update
	echo "installing: ${missing[*]}"
	local policy=/usr/sbin/policy-rc.d made=
	if [[ ! -e $policy ]]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
		made=yes
	fi
	local status=0
	apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null </dev/null || status=$?
	[[ -z $made ]] || rm -f "$policy"
	return "$status"
}

# unpack PEER NAME...: the packages' files to $peers/PEER, without installing.
unpack() {
	local to=$peers/$1 work deb
	shift
	[[ ! -e $to/complete ]] || return 0
	update
	echo "unpacking: $*"
	rm -rf "$to"
	mkdir -p "$to"
	work=$(mktemp -d)
	# apt-get drops to a user of its own, who has to write here.
	chmod 777 "$work"
	(cd "$work" && apt-get -qq download "$@")
	for deb in "$work"/*.deb; do
		dpkg -x "$deb" "$to"
	done
	rm -rf "$work"
	touch "$to/complete"
}

# prefix: Wine's registry and drive C:, made once in $peers/wine. Wine 8 lacks a
# DLL that programs of Go load; see forwarder.py.
prefix() {
	local to=$peers/wine here
	here=$(cd "$(dirname "$0")" && pwd)
	[[ ! -e $to/complete ]] || return 0
	echo "making Wine's drive C:"
	rm -rf "$to"
	mkdir -p "$to"
	WINEPREFIX=$to WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml=' \
		wine wineboot --init </dev/null >"$to/log" 2>&1 || { cat "$to/log"; return 1; }
	WINEPREFIX=$to wineserver --wait
	python3 "$here/forwarder.py" "$to/drive_c/windows/system32/bcryptprimitives.dll" ProcessPrng=advapi32.SystemFunction036
	touch "$to/complete"
}

(($#)) || set -- all
for what in "$@"; do
	case $what in
	base) install "${base[@]}" ;;
	samba) install "${samba[@]}" ;;
	heimdal)
		install libedit2
		unpack heimdal "${heimdal[@]}"
		;;
	squid)
		install libmnl0
		unpack squid "${squid[@]}"
		;;
	lighttpd)
		install libnettle8 libpcre2-8-0 libxxhash0
		unpack lighttpd "${lighttpd[@]}"
		;;
	kcm)
		install "${kcm[@]}"
		unpack heimdal-kcm heimdal-kcm
		;;
	wine)
		install "${wine[@]}"
		prefix
		;;
	all) "$0" base samba heimdal squid lighttpd kcm wine ;;
	*)
		echo "$0: no peer is called $what: want base, samba, heimdal, squid, lighttpd, kcm, wine or all" >&2
		exit 2
		;;
	esac
done
