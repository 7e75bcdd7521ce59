/** Base of everything that this package raises. `code` is the class's name, for programs and for the vectors. */
export class ProtocolError extends Error {}

/** The bytes do not have the form that docs/protocol.md gives them. */
export class Malformed extends ProtocolError {
  code = "Malformed";
}

/** A version or suite that this implementation does not speak; nothing is negotiated. */
export class Unsupported extends ProtocolError {
  code = "Unsupported";
}

/** More bytes than the limit allows; raised before anything is kept of them. */
export class TooLarge extends ProtocolError {
  code = "TooLarge";
}

/** The one error for every failed opening, so that it is no oracle. */
export class OpenFailed extends ProtocolError {
  code = "OpenFailed";

  constructor() {
    super("the sealed bytes were altered, or sealed for another key or another context");
  }
}

/** The stream ended before its last chunk: what was received is not the whole answer. */
export class Truncated extends ProtocolError {
  code = "Truncated";

  constructor() {
    super("sealed response: expected a last chunk, got the end of the stream; ask again");
  }
}

/** A reply over HTTP that is not the sealed answer asked for: another status, or another media type. */
export class NotSealed extends ProtocolError {
  code = "NotSealed";
}

/** The verified document does not bind this evidence. */
export class BindingRefused extends ProtocolError {
  code = "BindingRefused";
}
