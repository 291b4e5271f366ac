#include "report_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "errors.h"
#include "report/report.h"

namespace norma::cli {
namespace {

namespace fs = std::filesystem;

// 0, or why it cannot be written. A full disk may show only when the buffer goes out, in fclose.
int write_whole(int descriptor, const std::string& text) {
  std::FILE* file = descriptor < 0 ? nullptr : fdopen(descriptor, "wb");
  if (file == nullptr) return errno;
  const int writing = std::fwrite(text.data(), 1, text.size(), file) == text.size() ? 0 : errno;
  const int closing = std::fclose(file) == 0 ? 0 : errno;
  return writing != 0 ? writing : closing;
}

// Where the links end, be there a file or not: a file that is renamed onto a link takes the link's place.
fs::path behind_links(fs::path at) {
  constexpr int kMostLinks = 40;  // the system's own limit
  std::error_code none;
  for (int i = 0; i < kMostLinks && fs::is_symlink(fs::symlink_status(at, none)); ++i) {
    at = at.parent_path() / fs::read_symlink(at, none);
  }
  return at;
}

int write_and_rename(const fs::path& path, const std::string& text) {
  const fs::path making = path.string() + ".new";
  std::error_code failed, ignored;
  fs::remove(making, ignored);  // what a killed run left, or another's link: written through it would be the other's
  constexpr mode_t kEverybodys = 0666;  // less the umask
  const int descriptor = open(making.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kEverybodys);
  failed.assign(write_whole(descriptor, text), std::generic_category());
  if (!failed) fs::rename(making, path, failed);
  if (failed && descriptor >= 0) fs::remove(making, ignored);
  return failed.value();
}

// A device or a pipe stays what it is: a file renamed onto it would take its place.
int write_as_it_is(const std::string& path, const std::string& text) {
  return write_whole(open(path.c_str(), O_WRONLY | O_CLOEXEC), text);
}

}  // namespace

bool is_standard_output(const std::string& path) {
  struct stat file {
  }, output{};
  return stat(path.c_str(), &file) == 0 && fstat(STDOUT_FILENO, &output) == 0 && file.st_dev == output.st_dev &&
         file.st_ino == output.st_ino;
}

void write_file(const std::string& path, const std::string& text) {
  struct stat file {};
  const int missing = stat(path.c_str(), &file) == 0 ? 0 : errno;
  int failed = 0;
  if (missing != 0 && missing != ENOENT) {
    failed = missing;
  } else if (is_standard_output(path)) {
    failed = write_whole(dup(STDOUT_FILENO), text);  // which may stand at the end of a file (>> FILE)
  } else if (missing == 0 && !S_ISREG(file.st_mode)) {
    failed = write_as_it_is(path, text);
  } else {
    failed = write_and_rename(behind_links(path), text);
  }
  if (failed != 0) throw UsageError(path + ": cannot be written: " + std::generic_category().message(failed));
}

void say_written(const std::string& path) {
  if (!is_standard_output(path)) std::printf("%s\n", path.c_str());
}

std::string json_text(const nlohmann::json& results) {
  return results.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string page_in(const std::string& folder) {
  return (fs::path(folder) / "report.html").string();
}

std::string write_html(const std::string& folder, const nlohmann::json& results) {
  std::string path = page_in(folder);
  write_file(path, report::render_html(results));
  return path;
}

void write_data(const std::string& folder, const nlohmann::json& results) {
  write_file((fs::path(folder) / "results.json").string(), json_text(results));
  write_file((fs::path(folder) / "results.csv").string(), report::render_csv(results));
}

}  // namespace norma::cli
