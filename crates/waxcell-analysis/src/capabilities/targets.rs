//! Hosts and ports that calls lead to.

use waxcell_operations::Operation;

use super::gather::{Gather, Place};
use super::path::{self, GAP};
use super::table::{Effect, Verb};
use super::url::{Leads, host_and_port, leads};
use super::worth::{Thing, Worth};
use super::{Family, Target};

impl<'a> Gather<'a> {
    pub(super) fn connects(
        &mut self,
        effect: &Effect,
        first: Option<Worth<'a>>,
        second: Option<Worth<'a>>,
        is_called: bool,
        place: Place,
    ) {
        let connect = Operation::NetConnect;
        let place = match &first {
            Some(worth) => Place { optional: place.optional || worth.0.len() > 1, ..place },
            None => place,
        };
        match effect.verb {
            Verb::Url => first.into_iter().flat_map(|url| url.0).for_each(|url| self.url(&url, place)),
            Verb::Resource => {
                for thing in first.into_iter().flat_map(|path| path.0) {
                    match &thing {
                        Thing::Text(text) if text.contains("://") => self.url(&thing, place),
                        _ => self.paths(&[Operation::FsRead], Some(thing.into()), place),
                    }
                }
            }
            Verb::Mongo => {
                let default = Worth::text("localhost");
                for host in first.unwrap_or(default).texts() {
                    match host.contains("://") {
                        true => self.url(&Thing::Text(host), place),
                        false => self.host(connect, &host, Some(27017), place),
                    }
                }
            }
            Verb::Elsewhere => self.host(connect, "\0", None, place),
            Verb::Dns => {
                let names = first.unwrap_or_else(Worth::unknown).texts();
                names.iter().for_each(|name| self.host(Operation::NetDns, name, None, place));
            }
            Verb::Host | Verb::ListenHost => {
                let operation = if effect.verb == Verb::Host { connect } else { Operation::NetListen };
                let mut words = effect.words.iter();
                // A word that begins with a digit is a port, any other a host.
                let port = words.clone().find_map(|word| word.parse::<u16>().ok());
                let default = words.find(|word| !word.starts_with(|letter: char| letter.is_ascii_digit()));
                let given = second.as_ref().and_then(|port| port.int()).filter(|port| *port != 0);
                let port = match (&second, given) {
                    (None, _) => port,
                    (Some(_), given) => given.and_then(|port| u16::try_from(port).ok()),
                };
                let names = first.map(|host| {
                    host.map(|thing| match thing {
                        // No host at all is one that is told later.
                        Thing::Plain => Worth::text(""),
                        other => other.into(),
                    })
                });
                let default = || default.map(|word| vec![word.replace('*', "\0")]);
                for host in names.map(|names| names.texts()).or_else(default).unwrap_or_default() {
                    match host_and_port(&host) {
                        ("", _) if operation == connect => {}
                        (name, Some(port)) if !name.is_empty() && host.matches(':').count() == 1 => {
                            self.host(operation, name, Some(port), place);
                        }
                        _ => self.host(operation, &host, port, place),
                    }
                }
            }
            Verb::Address | Verb::Datagram | Verb::Listen => {
                let operation = match effect.verb {
                    Verb::Address => connect,
                    Verb::Datagram => Operation::NetUdp,
                    _ => Operation::NetListen,
                };
                match first {
                    Some(address) => {
                        address.0.iter().for_each(|address| self.address(operation, address, place))
                    }
                    None if !is_called || effect.slots.is_empty() => self.host(operation, "\0", None, place),
                    None => {}
                }
            }
            _ => {
                let paths = first
                    .map(|path| path.texts())
                    .or_else(|| effect.words.first().map(|word| vec![(*word).to_owned()]));
                for path in paths.unwrap_or_default() {
                    self.unix(&path, place);
                }
            }
        }
    }

    /// Where a pair of host and port leads; or the name of a UNIX socket.
    fn address(&mut self, operation: Operation, address: &Thing<'a>, place: Place) {
        match address {
            Thing::Items(items) if items.len() >= 2 => {
                let port = items[1].int().and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0);
                let hosts = items[0].texts();
                let place = Place { optional: place.optional || hosts.len() > 1, ..place };
                for host in hosts {
                    self.host(operation, &host, port, place);
                }
            }
            Thing::Text(path) | Thing::Path(path) => self.unix(path, place),
            _ => self.host(operation, "\0", None, place),
        }
    }

    fn unix(&mut self, path: &str, place: Place) {
        let (target, certainty) = path::target(path);
        self.note(Family::Network, Some(Operation::IpcUnix), target, certainty, place);
    }

    fn url(&mut self, url: &Thing<'a>, place: Place) {
        match leads(&url.as_text().unwrap_or(GAP.to_string())) {
            Leads::Host(host, port) => self.host(Operation::NetConnect, &host, port, place),
            Leads::File(path) => self.paths(&[Operation::FsRead], Some(Worth::text(path)), place),
            Leads::Unknown => self.host(Operation::NetConnect, "\0", None, place),
            Leads::Nowhere => {}
        }
    }

    fn host(&mut self, operation: Operation, host: &str, port: Option<u16>, place: Place) {
        let (host, certainty) = path::shown(host);
        let host = host.map(|host| host.trim_end_matches('.').to_ascii_lowercase());
        self.note(Family::Network, Some(operation), Target::Host { host, port }, certainty, place);
    }
}
