// Functions of ELF files, by libelf.
#include <gelf.h>

#include <memory>

#include "insight/elf_file.h"
#include "insight/symbol_table.h"

namespace relic86 {

Result<SymbolTable> SymbolTable::read_elf(const std::string& file, u64 offset) {
  const auto opened = ElfFile::open(file);
  if (!opened) return Error{opened.message()};
  elf_version(EV_CURRENT);
  const std::unique_ptr<Elf, decltype(&elf_end)> elf(elf_begin(opened.value().descriptor(), ELF_C_READ, nullptr),
                                                     elf_end);
  if (!elf || elf_kind(elf.get()) != ELF_K_ELF) return Error{"it is no whole ELF file; build or copy it anew"};

  SymbolTable table;
  table.offset_ = offset;
  table.elf_ = true;
  std::vector<Symbol> labels;
  for (Elf_Scn* section = elf_nextscn(elf.get(), nullptr); section != nullptr;
       section = elf_nextscn(elf.get(), section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_SYMTAB) continue;
    Elf_Data* const data = elf_getdata(section, nullptr);
    if (data == nullptr || header.sh_entsize == 0) continue;
    const int count = static_cast<int>(data->d_size / header.sh_entsize);
    for (int i = 0; i < count; i++) {
      GElf_Sym symbol;
      if (gelf_getsym(data, i, &symbol) == nullptr || symbol.st_shndx == SHN_UNDEF) continue;
      if (const char* any = elf_strptr(elf.get(), header.sh_link, symbol.st_name); any != nullptr && any[0] != '\0')
        table.places_.emplace(any, symbol.st_value + offset);
      const auto type = GELF_ST_TYPE(symbol.st_info);
      if (type != STT_FUNC && type != STT_NOTYPE) continue;
      GElf_Shdr home;
      Elf_Scn* const place = elf_getscn(elf.get(), symbol.st_shndx);
      if (place == nullptr || gelf_getshdr(place, &home) == nullptr || (home.sh_flags & SHF_EXECINSTR) == 0) continue;
      const char* const name = elf_strptr(elf.get(), header.sh_link, symbol.st_name);
      if (name == nullptr || name[0] == '\0' || name[0] == '.') continue;
      (type == STT_FUNC ? table.symbols_ : labels).push_back({symbol.st_value + offset, symbol.st_size, name});
    }
  }
  table.put_in_order();
  // Labels of assembler sources have no type; those in code are functions to us, unless they lie in one.
  std::erase_if(labels, [&](const Symbol& label) {
    const Symbol* const function = table.find(label.address);
    return function != nullptr && function->size != 0;
  });
  table.symbols_.insert(table.symbols_.end(), labels.begin(), labels.end());
  table.put_in_order();
  if (table.symbols_.empty()) return Error{"it has no symbols; give the file that was not stripped"};
  return table;
}

}  // namespace relic86
