"""What ends a device: its machine ends with it, since a device that guesses is worse than none.

DeviceFault
 ├─ ProtocolFault   the front end (QEMU) said what vhost-user does not allow
 └─ GuestFault      the guest's driver broke a rule of its rings, or of the device
"""


class DeviceFault(ValueError):
    """A device cannot go on; the message says what it expected and what it got."""


class ProtocolFault(DeviceFault):
    """A message on the vhost-user socket that the protocol does not allow."""


class GuestFault(DeviceFault):
    """Something in guest memory that the virtio specification does not allow."""
