use super::*;

#[test]
fn the_builtin_channels_read() {
    let descriptors = load_descriptors(crate::BUILTIN_CHANNELS).unwrap();
    assert!(descriptors.len() >= 8);
}
