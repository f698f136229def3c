class McpCodeExecutor < Formula
  desc "{{.Summary}}"
  homepage "{{.Repository}}"
  version "{{.Version}}"
  license "{{.License}}"

  on_macos do
    url "{{.Mac.URL}}"
    sha256 "{{.Mac.SHA256}}"
  end

  on_linux do
    on_intel do
      url "{{.LinuxAMD64.URL}}"
      sha256 "{{.LinuxAMD64.SHA256}}"
    end
    on_arm do
      url "{{.LinuxARM64.URL}}"
      sha256 "{{.LinuxARM64.SHA256}}"
    end
  end

  def install
    bin.install "{{.Program}}"
    generate_completions_from_executable(bin/"{{.Program}}", "completion")
    (man1/"{{.Program}}.1").write Utils.safe_popen_read(bin/"{{.Program}}", "help", "man")
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/{{.Program}} --version")
  end
end
