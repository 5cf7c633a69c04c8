// SPDX-License-Identifier: GPL-2.0

//! As much of PDML, the XML that tshark writes, as a comparison needs: tshark puts each element on a
//! line of its own.

/// The text of each packet.
pub(crate) fn packets(text: &str) -> Vec<&str> {
    text.split("<packet>").skip(1).collect()
}

/// The fields of a packet, in their order: name, and value as tshark shows it.
pub(crate) fn fields(packet: &str) -> impl Iterator<Item = (&str, &str)> {
    packet
        .lines()
        .filter_map(|line| Some((attribute(line, "name")?, attribute(line, "show")?)))
}

/// The value of an attribute of the element on a line.
pub(crate) fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}
