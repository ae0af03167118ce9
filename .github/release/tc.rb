class Tc < Formula
  desc "All your Claude accounts behind one local address"
  homepage "@HOMEPAGE@"
  version "@VERSION@"
  license "MIT"

  on_macos do
    on_arm do
      url "@DOWNLOAD@/tc-aarch64-apple-darwin.tar.gz"
      sha256 "@SHA256:aarch64-apple-darwin@"
    end
    on_intel do
      url "@DOWNLOAD@/tc-x86_64-apple-darwin.tar.gz"
      sha256 "@SHA256:x86_64-apple-darwin@"
    end
  end
  on_linux do
    on_arm do
      url "@DOWNLOAD@/tc-aarch64-unknown-linux-gnu.tar.gz"
      sha256 "@SHA256:aarch64-unknown-linux-gnu@"
    end
    on_intel do
      url "@DOWNLOAD@/tc-x86_64-unknown-linux-gnu.tar.gz"
      sha256 "@SHA256:x86_64-unknown-linux-gnu@"
    end
  end

  def install
    # The program is appended to its base: nothing may strip or patch it.
    bin.install "tc"
    man1.install "man/tc.1"
    bash_completion.install "completions/tc.bash" => "tc"
    zsh_completion.install "completions/_tc"
    fish_completion.install "completions/tc.fish"
  end

  def caveats
    <<~EOS
      Linux has a traffic control of the same name in /usr/sbin.
      tc doctor says which of the two your shell finds.
    EOS
  end

  service do
    run [opt_bin/"tc", "server", "--headless"]
    keep_alive successful_exit: false
    log_path var/"log/tc.log"
    error_log_path var/"log/tc.log"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/tc --version")
    assert_match "Served by", shell_output("#{bin}/tc demo --once")
  end
end
