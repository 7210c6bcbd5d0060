// Dear ImGui on SDL: events in, triangles out.
#pragma once

#include <SDL.h>

#include <map>
#include <memory>
#include <string>

#include "devices/host_sinks.h"
#include "display/sdl/sdl_picture.h"

struct ImGuiContext;
struct ImDrawData;

namespace relic86 {

class MenuCanvas {
 public:
  MenuCanvas(SDL_Window* window, SDL_Renderer* renderer);
  ~MenuCanvas();
  MenuCanvas(const MenuCanvas&) = delete;
  MenuCanvas& operator=(const MenuCanvas&) = delete;

  void feed(const SDL_Event& event);
  // Every key is up: the events that would say so go elsewhere from now on.
  void forget_keys();
  // Everything is up, and the pointer is nowhere: the events that would say so go elsewhere from now on.
  void forget_input();
  // Menus that are open, one in the other.
  unsigned open_popups() const;
  void close_popups();
  // The widgets of a frame are called between these two.
  void begin();
  void end();
  // Draws the frame that end() closed.
  void draw();
  // A picture as a texture for ImGui::Image, made once and kept as long as somebody has the picture.
  void* texture_of(const std::shared_ptr<const Frame>& picture);
  void textures_lost();

  // A key that Dear ImGui looks at while it is down; all others are letters alone.
  static bool is_control_key(SDL_Scancode scancode);
  // What the last key asked for has been done: the next one is understood.
  static bool choice_settled();
  // The keyboard chooses: Dear ImGui shows what, and lets Enter take it.
  static void show_choice();
  // Escape went down before this frame.
  static bool escape_pressed();
  // Height of a line of text, in the renderer's pixels.
  float line_height() const { return line_height_; }

 private:
  void choose_font(float scale);
  void make_font_texture();
  float pixel_scale() const;

  SDL_Window* window_;
  SDL_Renderer* renderer_;
  ImGuiContext* context_;
  SdlTexture font_;
  struct Kept {
    std::weak_ptr<const Frame> picture;
    SdlTexture texture;
  };
  std::map<const Frame*, Kept> pictures_;
  float line_height_ = 0;
  float font_scale_ = 0;
  u64 last_frame_ = 0;  // ms
};

}  // namespace relic86
