//! Workers that nobody has written down: what Kubernetes knows of its nodes and a cloud of its machines, and what names a
//! table or a machine by something else than its id.

mod api_server;
mod clouds;
mod exported;
mod guides;
mod identity;
mod kubernetes;
mod machines;
mod node_list;
mod node_prefix;
mod nodes;
mod served;
