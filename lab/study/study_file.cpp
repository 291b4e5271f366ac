// Study files as files: what they include, which size is chosen, and their parts. docs/studies.md is the schema in
// words; keep the two alike.
#include <algorithm>
#include <filesystem>
#include <sstream>

#include "lab/claims/parse_claim.h"
#include "lab/error.h"
#include "lab/study/nearest.h"
#include "lab/study/nesting.h"
#include "lab/study/parser.h"

namespace norma::lab {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{256} << 10U;
constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxParts = 1000;

// Nested tables are built and destroyed recursively: a stranger's file must not choose how deep.
void check_nesting(const StudyFile& file) {
  if (const int line = line_nested_deeper(file.text, kMaxDepth); line > 0) {
    throw InputError(fmt::format("{}:{}: nested deeper than {} levels", file.name, line, kMaxDepth));
  }
}

int depth_of(const toml::node& node) {
  int deepest = 0;
  if (const toml::table* table = node.as_table()) {
    for (const auto& [key, value] : *table) deepest = std::max(deepest, depth_of(value));
  } else if (const toml::array* array = node.as_array()) {
    for (const toml::node& value : *array) deepest = std::max(deepest, depth_of(value));
  } else {
    return 0;
  }
  return deepest + 1;
}

toml::table parse_toml(const StudyFile& file) {
  if (file.text.size() > kMaxBytes) {
    throw InputError(fmt::format("{}: {} bytes, expected at most {}", file.name, file.text.size(), kMaxBytes));
  }
  check_nesting(file);
  try {
    toml::table table = toml::parse(file.text);
    if (depth_of(table) > kMaxDepth) {
      throw InputError(fmt::format("{}:1: nested deeper than {} levels", file.name, kMaxDepth));
    }
    return table;
  } catch (const toml::parse_error& error) {
    throw InputError(fmt::format("{}:{}: {}", file.name, error.source().begin.line, error.description()));
  }
}

std::vector<std::string> top_keys() {
  std::vector<std::string> keys = part_keys();
  keys.insert(keys.end(), {"part", "claim", "include", "included", "size", "smoke", "full"});
  return keys;
}

// One file without what it includes.
class FileParser {
 public:
  FileParser(const StudyFile& file, const toml::table& toml, const std::string& size)
      : file_(file), top_(toml, file.name, "", top_keys()), toml_(toml), size_(size) {}

  Study parse(std::optional<std::int64_t> seeds) {
    Study study;
    study.name = read_name(top_);
    study.question = top_.text("question", "");
    study.size = size_;
    const toml::table* over = size_.empty() || !top_.has(size_.c_str()) ? nullptr : size_table();
    const auto parts = top_.tables("part");
    std::vector<std::string> names;
    for (const toml::table* part : parts) {
      const TomlTable own(*part, file_.name, "[[part]]", part_keys());
      names.push_back(read_name(own));
      const toml::table sized = over == nullptr ? toml::table() : size_of_part(*over, names.back());
      add(study, StudyParser(file_, {over == nullptr ? nullptr : &sized, part, &toml_}).parse(names.back(), seeds),
          own);
    }
    if (over != nullptr) check_sized_parts(*over, names);
    const bool whole = parts.empty() && (top_.has("data") || !(top_.has("include") || top_.has("included")));
    if (whole) study.parts.push_back(StudyParser(file_, {over, &toml_, nullptr}).parse(study.name, seeds));
    if (const toml::table* claim = top_.own("claim")) {
      study.claims.push_back(parse_claim(*claim, file_.name, study.parts));
    }
    return study;
  }

 private:
  const toml::table* size_table() const {
    const toml::node& node = *toml_.get(size_);
    if (!node.is_table()) {
      top_.fail(node.source().begin.line, fmt::format("'{}': expected a table [{}]", size_, size_));
    }
    std::vector<std::string> keys = part_keys();
    keys.emplace_back("part");
    const TomlTable checked(*node.as_table(), file_.name, fmt::format("[{}]", size_), keys);
    return node.as_table();
  }

  // What a size replaces in one part: what it replaces in all, and over that what [SIZE.part.NAME] says.
  toml::table size_of_part(const toml::table& over, const std::string& part) const {
    toml::table found = over;
    found.erase("part");
    const toml::table* own = over["part"][part].as_table();
    if (own == nullptr) return found;
    const TomlTable checked(*own, file_.name, fmt::format("[{}.part.{}]", size_, part), part_keys());
    lay_over(found, *own);
    return found;
  }

  static void lay_over(toml::table& table, const toml::table& over) {
    for (const auto& [key, value] : over) {
      toml::table* within = table[key].as_table();
      if (within != nullptr && value.is_table()) {
        lay_over(*within, *value.as_table());
      } else {
        table.insert_or_assign(key, value);
      }
    }
  }

  void check_sized_parts(const toml::table& over, const std::vector<std::string>& names) const {
    if (!over.contains("part")) return;
    const toml::node& node = *over.get("part");
    const auto line = node.source().begin.line;
    if (!node.is_table()) top_.fail(line, fmt::format("'part': expected tables [{}.part.NAME]", size_));
    for (const auto& [key, value] : *node.as_table()) {
      const std::string name(key.str());
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        top_.fail(key.source().begin.line,
                  fmt::format("[{}.part.{}]: no such part{}", size_, name, suggestion(name, names)));
      }
      if (!value.is_table()) {
        top_.fail(key.source().begin.line, fmt::format("'{}': expected a table [{}.part.{}]", name, size_, name));
      }
    }
  }

  static void add(Study& study, StudySpec part, const TomlTable& table) {
    for (const StudySpec& other : study.parts) {
      if (other.name == part.name) table.fail(table.line(), fmt::format("two parts are named '{}'", part.name));
    }
    if (study.parts.size() == kMaxParts) table.fail(table.line(), fmt::format("more than {} parts", kMaxParts));
    study.parts.push_back(std::move(part));
  }

  const StudyFile& file_;
  TomlTable top_;
  const toml::table& toml_;
  const std::string& size_;
};

// The parts of an included study, named after it, and its claims.
void append(Study& study, Study included) {
  const auto renamed = [&](const std::string& name) {
    return name == included.name ? name : included.name + "-" + name;
  };
  for (StudySpec& part : included.parts) {
    part.name = renamed(part.name);
    for (const StudySpec& other : study.parts) {
      if (other.name == part.name) throw InputError(fmt::format("two parts are named '{}'", part.name));
    }
    study.parts.push_back(std::move(part));
  }
  const auto rename_side = [&](ClaimSide& side) {
    for (std::string& name : side.parts) name = renamed(name);
  };
  for (ClaimSpec& claim : included.claims) {
    for (std::string& name : claim.parts) name = renamed(name);
    for (ClaimContrast& qualifier : claim.qualifiers) {
      rename_side(qualifier.a);
      rename_side(qualifier.b);
    }
    if (claim.primary) {
      rename_side(claim.primary->a);
      rename_side(claim.primary->b);
    }
    study.claims.push_back(std::move(claim));
  }
}

// Whether a contrast takes cells of this part.
bool takes_part(const ClaimSpec& claim, const ClaimContrast& contrast, const std::string& part) {
  const auto among = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), part) != names.end();
  };
  const auto of_side = [&](const ClaimSide& side) { return side.parts.empty() || among(side.parts); };
  return among(claim.parts) && (of_side(contrast.a) || of_side(contrast.b));
}

void check_seeds_of(const Study& study, const ClaimSpec& claim, const ClaimContrast& contrast, std::int64_t family,
                    const char* kind) {
  const std::int64_t needed = seeds_needed(family);
  for (const StudySpec& part : study.parts) {
    if (!takes_part(claim, contrast, part.name)) continue;
    const bool tuning = contrast.measure == "trains";
    const std::int64_t seeds = tuning ? part.tuning_seeds : part.seeds;
    if (seeds >= needed) continue;
    const std::string what = contrast.says.empty() ? "" : fmt::format(", \"{}\",", contrast.says);
    throw InputError(fmt::format(
        "{}: claim {}{} has {} {}seed{} in part '{}': Holm's correction over {} {}{} at the 5% level takes at least {}",
        contrast.where, claim.number, what, seeds, tuning ? "tuning " : "", seeds == 1 ? "" : "s", part.name, family,
        kind, family == 1 ? "" : "s", needed));
  }
}

// With too few seeds nothing can pass Holm's correction: no primary contrast over all claims, so the study could not
// answer, or no qualifier over its claim's, which would leave 'supported' what might be qualified. The smallest size is
// there to run, not to answer.
void check_seeds(const Study& study) {
  if (study.size == "smoke") return;
  const auto primaries = std::count_if(study.claims.begin(), study.claims.end(), [](const ClaimSpec& claim) {
    return claim.primary || claim.recommender_margin > 0;
  });
  for (const ClaimSpec& claim : study.claims) {
    if (claim.primary) check_seeds_of(study, claim, *claim.primary, primaries, "primary contrast");
    for (const ClaimContrast& qualifier : claim.qualifiers) {
      check_seeds_of(study, claim, qualifier, static_cast<std::int64_t>(claim.qualifiers.size()), "qualifier");
    }
  }
}

std::string size_of(const StudyFile& file, const toml::table& toml) {
  const TomlTable top({nullptr, &toml, nullptr}, file.name);
  return top.has("size") ? top.choice("size", {"smoke", "full"}) : "";
}

using IncludedFiles = std::vector<std::pair<std::string, StudyFile>>;

// Adds the files that one includes, each once, by the names under which they stand in [included]; and before a file
// that includes others itself, those. `nested`: this file is such a one.
void add_included(const StudyFile& file, const toml::table& toml, bool nested, IncludedFiles& files) {
  const TomlTable top({nullptr, &toml, nullptr}, file.name);
  if (!top.has("include")) return;
  for (const auto& named : top.texts("include")) {
    const std::filesystem::path path = named.value;
    if (path.has_parent_path()) {
      top.fail(named.line, fmt::format("'include': expected a file beside this one, got '{}'", named.value));
    }
    const std::string stem = path.stem().string();
    if (std::any_of(files.begin(), files.end(), [&](const auto& entry) { return entry.first == stem; })) continue;
    const auto builtin = builtin_studies();
    const bool known = file.folder.empty() && std::find(builtin.begin(), builtin.end(), stem) != builtin.end();
    try {
      StudyFile found = find_study(known ? stem : (file.folder / path).string());
      const toml::table inner = parse_toml(found);
      if (nested && inner.contains("include")) {
        throw InputError(fmt::format("{}: includes others itself, in a file that is included", found.name));
      }
      if (!nested) add_included(found, inner, true, files);
      files.emplace_back(stem, std::move(found));
    } catch (const InputError& error) {
      top.fail(named.line, fmt::format("'include': {}", error.what()));
    }
  }
}

IncludedFiles included_files(const StudyFile& file, const toml::table& toml) {
  IncludedFiles files;
  add_included(file, toml, false, files);
  return files;
}

}  // namespace

StudyFile as_run(const StudyFile& file, const std::string& size) {
  const toml::table toml = parse_toml(file);
  StudyFile whole = file;
  const std::string written = size_of(file, toml);
  if (!size.empty() && !written.empty() && written != size) {
    throw InputError(fmt::format("{}: the file says size = \"{}\", the command --{}", file.name, written, size));
  }
  const auto files = included_files(file, toml);
  if (!size.empty() && written.empty()) {
    const auto has = [&](const toml::table& table) { return table.contains(size); };
    const bool anywhere = has(toml) || std::any_of(files.begin(), files.end(),
                                                   [&](const auto& entry) { return has(parse_toml(entry.second)); });
    if (!anywhere) throw InputError(fmt::format("{}: no table [{}], so no such size", file.name, size));
    whole.text = fmt::format("size = \"{}\"\n{}", size, whole.text);
  }
  if (files.empty()) return whole;
  // One text that holds all: the top without 'include', and each file as a table of [included].
  toml::table merged = parse_toml(whole);
  merged.erase("include");
  toml::table included;
  for (const auto& [name, inner] : files) included.insert_or_assign(name, parse_toml(inner));
  merged.insert_or_assign("included", std::move(included));
  std::ostringstream text;
  text << merged << "\n";
  whole.text = text.str();
  return whole;
}

Study parse_study(const StudyFile& file, std::optional<std::int64_t> seeds) {
  const toml::table toml = parse_toml(file);
  const std::string size = size_of(file, toml);
  Study study = FileParser(file, toml, size).parse(seeds);
  const auto files = included_files(file, toml);
  for (const auto& [name, inner] : files) append(study, FileParser(inner, parse_toml(inner), size).parse(seeds));
  if (const toml::table* included = toml["included"].as_table()) {
    for (const auto& [name, inner] : *included) {
      const StudyFile as_if{fmt::format("{} ({})", file.name, name.str()), "", file.folder};
      if (inner.is_table()) append(study, FileParser(as_if, *inner.as_table(), size).parse(seeds));
    }
  }
  check_seeds(study);
  if (study.parts.empty()) throw InputError(fmt::format("{}: no part: expected [data] or [[part]]", file.name));
  return study;
}

}  // namespace norma::lab
