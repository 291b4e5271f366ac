#include "include_rules.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <string_view>

namespace norma::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 8> kSourceFolders{"include", "src",    "reference", "torch",
                                                         "lab",     "report", "cli",       "examples"};
constexpr std::array<std::string_view, 6> kSourceEndings{".h", ".hpp", ".cpp", ".cc", ".c", ".inc"};

bool is_source(const fs::path& file) {
  return std::ranges::find(kSourceEndings, file.extension().string()) != kSourceEndings.end();
}

bool within(const std::string& path, const std::string& folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

const Room* room_of(const std::string& path, const std::vector<Room>& rules) {
  const Room* found = nullptr;
  for (const Room& room : rules) {
    if (within(path, room.folder) && (found == nullptr || room.folder.size() > found->folder.size())) found = &room;
  }
  return found;
}

bool is_torch(const std::string& name) {
  for (const char* folder : {"torch/", "ATen/", "c10/", "caffe2/", "torch_"}) {
    if (name.starts_with(folder)) return true;
  }
  return false;
}

// <vector>, <cstdint>, what C calls them, and the C library's own that C++ has no name for.
bool is_standard(const std::string& name) {
  if (name.find_first_of("./") == std::string::npos) return true;
  static const std::array<std::string, 13> kOfC{"stddef.h",    "stdint.h",   "stdio.h",   "stdlib.h",   "unistd.h",
                                                "fcntl.h",     "poll.h",     "signal.h",  "sys/wait.h", "sys/stat.h",
                                                "sys/ioctl.h", "sys/file.h", "sys/mman.h"};
  return std::ranges::find(kOfC, name) != kOfC.end();
}

// The file of the tree that an include leads to, relative to the root; nothing if it leads out. A quoted name is looked
// for beside the file that includes it first, then both kinds where our targets look.
std::optional<std::string> lead(const fs::path& root, const fs::path& from, const std::string& name, bool quoted) {
  std::vector<fs::path> places;
  if (quoted) places.push_back(from.parent_path());
  for (const char* place : {"", "include", "src", "cli", "report", "lab", "torch"}) places.push_back(root / place);
  for (const fs::path& place : places) {
    const fs::path candidate = (place / name).lexically_normal();
    const std::string relative = candidate.lexically_relative(root).generic_string();
    if (!relative.starts_with("..") && fs::is_regular_file(candidate)) return relative;
  }
  return std::nullopt;
}

struct Include {
  std::string name;
  bool quoted;
  int line;
};

std::vector<Include> includes_of(const fs::path& file) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::vector<Include> includes;
  std::ifstream lines(file);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::smatch match;
    if (std::regex_search(line, match, kInclude)) includes.push_back({match[2].str(), match[1].str() == "\"", number});
  }
  return includes;
}

class Checker {
 public:
  Checker(const fs::path& root, const std::vector<Room>& rules) : root_(root), rules_(rules) {}

  std::vector<std::string> check(const fs::path& file) {
    const std::string path = file.lexically_relative(root_).generic_string();
    const Room* room = room_of(path, rules_);
    if (room == nullptr) return {path + ": is in no room"};
    std::vector<std::string> broken;
    for (const Include& include : includes_of(file)) {
      const std::string wrong = judge(file, *room, include);
      if (!wrong.empty()) broken.push_back(path + ":" + std::to_string(include.line) + ": " + wrong);
    }
    return broken;
  }

 private:
  // Empty if this include is allowed; else what is wrong with it.
  std::string judge(const fs::path& file, const Room& room, const Include& include) {
    const std::string named = " (" + include.name + ")";
    if (const std::optional<std::string> target = lead(root_, file, include.name, include.quoted)) {
      const Room* other = room_of(*target, rules_);
      if (other == nullptr) return room.folder + " may not include " + *target + ", which is in no room";
      const bool seen = other == &room || std::ranges::find(room.sees, other->folder) != room.sees.end() ||
                        std::ranges::find(room.sees, "*") != room.sees.end();
      if (!seen) return room.folder + " may not include " + other->folder + named;
      return !room.torch && reaches_torch(*target) ? room.folder + " may not reach libtorch" + named : "";
    }
    if (is_torch(include.name)) return room.torch ? "" : room.folder + " may not include libtorch" + named;
    if (is_standard(include.name) || room.packages) return "";
    return room.folder + " may include the standard library alone" + named;
  }

  // Whether a file of the tree includes libtorch, itself or through others.
  bool reaches_torch(const std::string& path) {
    const auto [known, is_new] = reaches_torch_.emplace(path, false);  // false while it is looked into: ends cycles
    if (!is_new) return known->second;
    bool reaches = false;
    for (const Include& include : includes_of(root_ / path)) {
      const std::optional<std::string> target = lead(root_, root_ / path, include.name, include.quoted);
      reaches = reaches || (target ? reaches_torch(*target) : is_torch(include.name));
    }
    return reaches_torch_[path] = reaches;
  }

  const fs::path& root_;
  const std::vector<Room>& rules_;
  std::map<std::string, bool> reaches_torch_;
};

}  // namespace

const std::vector<Room>& rooms() {
  static const std::vector<Room> kRooms{
      {"include", {}, false, false},
      {"src/plan", {"include"}, false, false},
      {"src/cpu", {"include", "src/plan"}, true, false},
      {"src/ops", {"include", "src/plan", "src/cpu"}, true, false},
      {"src/c_api", {"include"}, false, false},
      {"reference", {"include"}, false, false},
      {"torch", {"include"}, true, true},
      {"lab", {"include", "lab/models", "lab/probes"}, true, false},
      {"lab/models", {"include", "torch", "lab"}, true, true},
      {"lab/training", {"include", "torch", "lab", "lab/models", "lab/probes"}, true, true},
      {"lab/probes", {"include", "torch", "lab", "lab/models", "lab/training"}, true, true},
      {"report", {"include", "lab", "lab/models"}, true, false},
      {"cli", {"include", "reference", "lab", "lab/models", "report"}, true, false},
      {"examples", {"include"}, false, false},
      {"bench", {"*"}, true, true},
      {"tests", {"*"}, true, false},
      {"tests/torch", {"*"}, true, true},
  };
  return kRooms;
}

std::vector<std::string> broken_rules(const fs::path& root, const std::vector<Room>& rules) {
  Checker checker(root, rules);
  std::vector<std::string> broken;
  for (const std::string_view folder : kSourceFolders) {
    if (!fs::is_directory(root / folder)) continue;
    for (auto entry = fs::recursive_directory_iterator(root / folder); entry != fs::recursive_directory_iterator();
         ++entry) {
      if (entry->path().filename() == "node_modules") entry.disable_recursion_pending();
      if (!entry->is_regular_file() || !is_source(entry->path())) continue;
      for (std::string& line : checker.check(entry->path())) broken.push_back(std::move(line));
    }
  }
  std::ranges::sort(broken);
  return broken;
}

std::vector<std::string> named_norms(const fs::path& root) {
  static const std::regex kNorm("(batch|layer|group|instance|rms)[ _-]?norm", std::regex::icase);
  std::vector<std::string> named;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / "src/cpu")) {
    if (!entry.is_regular_file() || !is_source(entry.path())) continue;
    std::ifstream lines(entry.path());
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
      std::smatch match;
      if (!std::regex_search(line, match, kNorm)) continue;
      named.push_back(entry.path().lexically_relative(root).generic_string() + ":" + std::to_string(number) +
                      ": names a norm (" + match.str() + ")");
    }
  }
  std::ranges::sort(named);
  return named;
}

}  // namespace norma::testing
