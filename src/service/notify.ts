/**
 * Tells systemd the state of the service: one datagram to the socket that
 * systemd names.
 *
 * @module
 */

/** The variable that names the socket. */
export const NOTIFY_VARIABLE = "NOTIFY_SOCKET";

interface NotifyOptions {
  /** A path, or a name after `@`; with another kind nothing is sent. */
  readonly address: string | null;
  /** Path of the sender's own socket, if it needs a file for a moment. */
  readonly from: string;
  readonly lines: readonly string[];
}

/**
 * Sends `lines` to the manager. It needs permission for the network and for the
 * file. Reference: sd_notify(3).
 */
export async function notifyManager(options: NotifyOptions): Promise<void> {
  const { address, from, lines } = options;
  if (address === null || !/^[/@]/.test(address)) return;
  const { socket, file } = ownSocket(from);
  try {
    await socket.send(new TextEncoder().encode(lines.join("\n")), {
      transport: "unixpacket",
      path: address.replace(/^@/, "\0"),
    });
  } finally {
    socket.close();
    if (file !== null) await Deno.remove(file);
  }
}

/**
 * Returns an abstract socket name, or the file where an older Deno refuses such
 * names.
 */
function ownSocket(
  from: string,
): { readonly socket: Deno.DatagramConn; readonly file: string | null } {
  const transport = "unixpacket";
  try {
    const path = `\0tc-notify-${Deno.pid}`;
    const socket = Deno.listenDatagram({ transport, path });
    return { socket, file: null };
  } catch {
    // If the file's path is too long, that is reported.
    const socket = Deno.listenDatagram({ transport, path: from });
    return { socket, file: from };
  }
}
