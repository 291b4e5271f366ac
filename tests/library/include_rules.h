// Who may include whom (the design, section 3), checked on the #include lines of a source tree.
//
// A room is a folder. Every file belongs to the room with the longest name that its path starts with; every include
// leads to a file of the tree, and so to a room, or out of it: to the standard library, to libtorch, or to another
// package. A room sees itself, the rooms it lists and the outside it lists, and nothing else.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace norma::testing {

struct Room {
  std::string folder;
  std::vector<std::string> sees;  // other rooms; "*": all
  bool packages;                  // besides the standard library: other packages
  bool torch;                     // libtorch
};

// The rules of this project.
const std::vector<Room>& rooms();

// One line per include that breaks a rule, "src/plan/plan.cpp:3: src/plan may not include src/cpu (cpu/rows.h)", and
// one per source file that is in no room. Empty if all is well.
std::vector<std::string> broken_rules(const std::filesystem::path& root, const std::vector<Room>& rules);

// One line per line of src/cpu that names a norm, "src/cpu/rows.cpp:3: names a norm (BatchNorm)": kernels know access
// patterns, and only the plan knows what they are for.
std::vector<std::string> named_norms(const std::filesystem::path& root);

}  // namespace norma::testing
