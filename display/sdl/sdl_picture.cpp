#include "display/sdl/sdl_picture.h"

#include <algorithm>
#include <string_view>

namespace relic86 {

namespace {

constexpr int kPlenty = 4096;                         // texels a side; more gains nothing
constexpr Uint32 kFormat = SDL_PIXELFORMAT_ARGB8888;  // the alpha of a Frame is 0; nothing is blended

SdlTexture make_texture(SDL_Renderer* renderer, SDL_TextureAccess access, Extent size, SDL_ScaleMode mode) {
  SdlTexture texture(SDL_CreateTexture(renderer, kFormat, access, size.width, size.height));
  if (!texture) return texture;
  SDL_SetTextureBlendMode(texture.get(), SDL_BLENDMODE_NONE);
  SDL_SetTextureScaleMode(texture.get(), mode);
  return texture;
}

// Mesa draws on the host's processor where there is no graphics card.
bool draws_on_processor(SDL_Renderer* renderer) {
  SDL_RendererInfo info;
  if (SDL_GetRendererInfo(renderer, &info) != 0 || !std::string_view(info.name).starts_with("opengl")) return false;
  using GetString = const unsigned char* (*)(unsigned);
  constexpr unsigned kRenderer = 0x1F01;  // GL_RENDERER
  const auto get_string = reinterpret_cast<GetString>(SDL_GL_GetProcAddress("glGetString"));
  const unsigned char* const name = get_string == nullptr ? nullptr : get_string(kRenderer);
  if (name == nullptr) return false;
  const std::string_view text(reinterpret_cast<const char*>(name));
  return text.starts_with("llvmpipe") || text.starts_with("softpipe") || text.starts_with("Software Rasterizer");
}

bool equal(Extent a, Extent b) { return a.width == b.width && a.height == b.height; }

}  // namespace

bool SdlPicture::open(SDL_Window* window) {
  renderer_.reset(SDL_CreateRenderer(window, -1, SDL_RENDERER_PRESENTVSYNC));
  // SDL does on the processor what is to do here with half of what Mesa takes, if it hands pictures to the display
  // without Mesa, too.
  if (renderer_ && SDL_GetHint(SDL_HINT_RENDER_DRIVER) == nullptr && draws_on_processor(renderer_.get())) {
    renderer_.reset();
    SDL_SetHint(SDL_HINT_FRAMEBUFFER_ACCELERATION, "0");
  }
  if (!renderer_) renderer_.reset(SDL_CreateRenderer(window, -1, SDL_RENDERER_SOFTWARE));
  if (!renderer_) return false;
  SDL_RendererInfo info;
  if (SDL_GetRendererInfo(renderer_.get(), &info) != 0) return false;
  can_sharpen_ = SDL_RenderTargetSupported(renderer_.get()) == SDL_TRUE;
  const auto limit = [](int most) { return most > 0 ? std::min(most, kPlenty) : kPlenty; };
  largest_texture_ = {limit(info.max_texture_width), limit(info.max_texture_height)};
  return true;
}

void SdlPicture::update(const Frame& frame, RowRange rows) {
  if (frame.width == 0 || frame.height == 0) return;
  shape_ = {frame.width, frame.height, frame.pixel_aspect, frame.text_mode};
  const Extent size{static_cast<int>(frame.width), static_cast<int>(frame.height)};
  if (!texture_ || !equal(size, texture_size_)) {
    texture_ = make_texture(renderer_.get(), SDL_TEXTUREACCESS_STREAMING, size, SDL_ScaleModeNearest);
    texture_size_ = size;
    rows = {0, frame.height};
  }
  if (!texture_ || rows.empty()) return;
  const SDL_Rect area{0, static_cast<int>(rows.first), size.width, static_cast<int>(rows.end - rows.first)};
  SDL_UpdateTexture(texture_.get(), &area, frame.pixels.data() + u64{rows.first} * frame.width,
                    size.width * static_cast<int>(sizeof(u32)));
}

// The picture with every pixel repeated, to be scaled smoothly; only edges between guest pixels get soft, by less than
// one pixel of the window. The plain picture if no scaling is left to do or none is possible.
SDL_Texture* SdlPicture::sharpened(Placement& place) {
  const Extent size{texture_size_.width * static_cast<int>(place.repeat_x),
                    texture_size_.height * static_cast<int>(place.repeat_y)};
  const bool exact = size.width == place.width && size.height == place.height;
  SDL_SetTextureScaleMode(texture_.get(), exact ? SDL_ScaleModeNearest : SDL_ScaleModeLinear);
  const bool once = place.repeat_x == 1 && place.repeat_y == 1;
  if (exact || once || !can_sharpen_ || size.width > largest_texture_.width || size.height > largest_texture_.height)
    return texture_.get();
  if (!sharp_ || !equal(size, sharp_size_)) {
    sharp_ = make_texture(renderer_.get(), SDL_TEXTUREACCESS_TARGET, size, SDL_ScaleModeLinear);
    sharp_size_ = size;
  }
  if (!sharp_ || SDL_SetRenderTarget(renderer_.get(), sharp_.get()) != 0) return texture_.get();
  SDL_SetTextureScaleMode(texture_.get(), SDL_ScaleModeNearest);
  SDL_RenderCopy(renderer_.get(), texture_.get(), nullptr, nullptr);
  SDL_SetRenderTarget(renderer_.get(), nullptr);
  return sharp_.get();
}

void SdlPicture::draw() {
  SDL_SetRenderDrawColor(renderer_.get(), 0, 0, 0, SDL_ALPHA_OPAQUE);
  SDL_RenderClear(renderer_.get());
  Extent area;
  if (!texture_ || SDL_GetRendererOutputSize(renderer_.get(), &area.width, &area.height) != 0) return;
  Placement place = this->place(area);
  SDL_Texture* picture = sharpened(place);
  const SDL_Rect target{place.x, place.y, place.width, place.height};
  SDL_RenderCopy(renderer_.get(), picture, nullptr, &target);
}

PicturePoint SdlPicture::point(SDL_Window* window, int x, int y, unsigned most) const {
  Extent area, units;
  SDL_GetWindowSize(window, &units.width, &units.height);
  if (SDL_GetRendererOutputSize(renderer_.get(), &area.width, &area.height) != 0 || units.width <= 0 ||
      units.height <= 0)
    return {};
  const double scale_x = static_cast<double>(area.width) / units.width;
  const double scale_y = static_cast<double>(area.height) / units.height;
  return point_in_picture(place(area), x * scale_x, y * scale_y, most);
}

void SdlPicture::show() { SDL_RenderPresent(renderer_.get()); }

PictureShape SdlPicture::shape() const {
  PictureShape shown = shape_;
  if (aspect_ != Aspect::Monitor) shown.pixel_aspect = 1;
  return shown;
}

Placement SdlPicture::place(Extent area) const {
  PictureShape shown = shape();
  if (aspect_ == Aspect::Fill && shown.width != 0 && area.height > 0) {
    shown.pixel_aspect =
        static_cast<double>(area.width) * shown.height / (static_cast<double>(area.height) * shown.width);
    shown.text_mode = false;
  }
  return place_picture(shown, area);
}

void SdlPicture::textures_lost(const Frame* frame) {
  texture_.reset();
  sharp_.reset();
  if (frame != nullptr) update(*frame, {0, frame->height});
}

}  // namespace relic86
